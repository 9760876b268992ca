"""modelscope.cn, quick to reach from mainland China; needs the optional package ``modelscope``."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from tunewiz.backends.sources.asking import Answer, ask
from tunewiz.backends.sources.huggingface import other_ways
from tunewiz.backends.sources.source import (
    Located,
    ModelUnavailable,
    Progress,
    Source,
    check_room,
    count_bytes,
    lacking,
    needed_files,
    size_of,
)
from tunewiz.presets.families import lookup
from tunewiz.presets.sections.model import Model
from tunewiz.problems import Problem, Where, error, say


class ModelScope(Source):
    """The hub of Alibaba's model community."""

    name: ClassVar[str] = "modelscope"
    hub: ClassVar[bool] = True

    def local(self, model: Model) -> Located | None:
        """The model in the cache, in any of the layouts that releases of ``modelscope`` have used."""
        folder = next((folder for folder in _folders(hub_id(model), model.revision) if not lacking(folder)), None)
        if folder is None:
            return None
        return Located(self.name, str(folder), True, size_of(folder), _licence(model), model.revision)

    def find(self, model: Model, seconds: float) -> Located:
        """The model on the hub: existence and size."""
        if importlib.util.find_spec("modelscope") is None:
            message = say("The package modelscope is not installed.")
            fix = say("Install it: {command}", command="pip install 'tunewiz[modelscope]'")
            raise ModelUnavailable(error("modelscope-missing", message, Where("model.source"), fix))
        place, revision = hub_id(model), model.revision or "master"
        query = f"repo/files?Revision={quote(revision, safe='')}&Recursive=true"
        answer = ask(f"{endpoint()}/api/v1/models/{quote(place)}/{query}", seconds)
        record = answer.json()
        if answer.status != 200 or not isinstance(record, dict) or not isinstance(record.get("Data"), dict):
            raise ModelUnavailable(_refused(answer, place))
        known_sizes = sizes(record["Data"].get("Files"))
        files = needed_files(known_sizes)
        return Located(
            self.name, place, False, sum(known_sizes[name] for name in files), _licence(model), revision, files
        )

    def fetch(self, located: Located, progress: Progress) -> Path:
        """Download into the cache; the folder."""
        if located.cached:
            return Path(located.place)
        check_room(located, cache())
        try:
            with count_bytes(cache(), located.size, progress):
                folder = Path(_download(located))
        except (OSError, RuntimeError, ValueError) as fault:  # what modelscope and requests raise derives from these
            reason = f"{type(fault).__name__}: {fault}"
            message = say("The download of {id} broke: {reason}", id=located.place, reason=reason)
            fix = say("Run it again: it goes on where it stopped. {way}", way=other_ways())
            raise ModelUnavailable(error("download-broken", message, Where("model.id"), fix)) from fault
        missing = lacking(folder)
        if missing:
            message = say(
                "{id} has no {file}: its weights are in a form that cannot be tuned.", id=located.place, file=missing
            )
            raise ModelUnavailable(error("model-incomplete", message, Where("model.id")))
        return folder


def sizes(listed: Any) -> dict[str, int]:
    """File names and sizes in bytes of the hub's list of files and folders."""
    items = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    files = [item for item in items if item.get("Type") != "tree"]
    return {str(item.get("Path")): size if isinstance(size := item.get("Size"), int) else 0 for item in files}


def _download(located: Located) -> str:
    from modelscope import snapshot_download

    patterns = list(located.files) or None
    folder: Any = snapshot_download(located.place, revision=located.revision or None, allow_patterns=patterns)
    return str(folder)


def hub_id(model: Model) -> str:
    """The model's id on this hub, from the family if it is known."""
    known = lookup(model.id)
    return known.size.modelscope or model.id if known else model.id


def endpoint() -> str:
    """The hub's address without a slash at the end."""
    written = (
        os.environ.get("MODELSCOPE_ENDPOINT") or os.environ.get("MODELSCOPE_DOMAIN") or "https://www.modelscope.cn"
    )
    address = written.strip().rstrip("/")
    return address if "://" in address else f"https://{address}"


def cache() -> Path:
    """Where ``modelscope`` keeps models, by its own rules."""
    return Path(os.environ.get("MODELSCOPE_CACHE") or "~/.cache/modelscope").expanduser()


def _folders(place: str, revision: str) -> Iterator[Path]:
    """Folders the model may be in: the layout since 1.38 first, then those before."""
    owner, _, name = place.rpartition("/")
    snapshots = cache() / "models" / f"{owner}--{name}" / "snapshots"
    yield from [snapshots / revision] if revision else [snapshots / "master", *sorted(snapshots.glob("*"))]
    if revision:
        return
    for base in (cache() / "models", cache() / "hub" / "models", cache() / "hub", cache()):
        yield from (base / owner / written for written in (name.replace(".", "___"), name))


def _licence(model: Model) -> str:
    known = lookup(model.id)
    return known.family.licence if known else ""


def _refused(answer: Answer, place: str) -> Problem:
    host, where = urlsplit(endpoint()).netloc, Where("model.id")
    if answer.reason is not None:
        message = say("{host} cannot be reached: {reason}.", host=host, reason=answer.reason)
        return error("hub-unreachable", message, where, other_ways())
    if answer.status in (200, 401, 403, 404):
        message = say("{host} has no model {id} that is open to you.", host=host, id=place)
        return error("model-unknown", message, where, say("Check model.id and model.revision."))
    message = say("{host} answered with status {status}.", host=host, status=answer.status)
    return error("hub-unreachable", message, where, other_ways())
