"""huggingface.co, or the mirror in ``HF_ENDPOINT``; its cache is where ``huggingface_hub`` keeps it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from tunewiz.backends.sources.asking import Answer, ask
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
from tunewiz.presets.families import lookup, nearest
from tunewiz.presets.sections.model import Model
from tunewiz.problems import Message, Problem, Where, error, say

_YES = {"1", "true", "yes", "on"}


class HuggingFace(Source):
    """The hub most models are published on."""

    name: ClassVar[str] = "huggingface"
    hub: ClassVar[bool] = True

    def local(self, model: Model) -> Located | None:
        """The model in the cache, if all its files are there."""
        place = hub_id(model)
        repository = cache() / f"models--{place.replace('/', '--')}"
        folder = next((folder for folder in _snapshots(repository, model.revision) if not lacking(folder)), None)
        if folder is None:
            return None
        return Located(self.name, str(folder), True, size_of(folder), _licence(model), folder.name)

    def find(self, model: Model, seconds: float) -> Located:
        """The model on the hub: existence, access, size and licence."""
        if offline():
            told, fix = say("HF_HUB_OFFLINE is set and the model is not in the cache."), say("Unset it to download.")
            raise ModelUnavailable(error("hub-offline", told, Where("model.id"), fix))
        place, own = hub_id(model), token()
        revision = f"/revision/{quote(model.revision, safe='')}" if model.revision else ""
        answer = ask(f"{endpoint()}/api/models/{quote(place)}{revision}?blobs=true", seconds, own)
        record = answer.json()
        if answer.status != 200 or not isinstance(record, dict):
            raise ModelUnavailable(error(*_refused(answer, model), Where("model.id"), _fix(answer, model)))
        if record.get("gated"):
            self._check_access(place, model, seconds, own)
        known_sizes = sizes(record.get("siblings"))
        files = needed_files(known_sizes)
        known = [size for name in files if isinstance(size := known_sizes[name], int)]
        card = record.get("cardData")
        licence = str(card.get("license") or "") if isinstance(card, dict) else ""
        total = sum(known) if files and len(known) == len(files) else None
        commit = str(record.get("sha") or model.revision)
        return Located(self.name, place, False, total, licence or _licence(model), commit, files)

    def _check_access(self, place: str, model: Model, seconds: float, token: str) -> None:
        """Raise if the files of a gated model are not open to this user."""
        revision = quote(model.revision or "main", safe="")
        answer = ask(f"{endpoint()}/{quote(place)}/resolve/{revision}/config.json", seconds, token)
        if answer.status in (401, 403):
            message = say("{id} is gated: its files are for accounts that accepted its licence.", id=place)
            fix = say(
                "Accept it at {page}, then set HF_TOKEN to a token of that account (or use `hf auth login`).",
                page=f"https://huggingface.co/{place}",
            )
            raise ModelUnavailable(error("model-gated", message, Where("model.id"), fix))

    def fetch(self, located: Located, progress: Progress) -> Path:
        """Download into the cache (resumable); the folder of the snapshot."""
        if located.cached:
            return Path(located.place)
        from httpx import HTTPError
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError

        check_room(located, cache())
        try:
            with count_bytes(cache() / f"models--{located.place.replace('/', '--')}", located.size, progress):
                folder = snapshot_download(
                    located.place,
                    revision=located.revision or None,
                    cache_dir=cache(),
                    allow_patterns=list(located.files) or None,
                    endpoint=endpoint(),
                )
        except (HTTPError, LocalEntryNotFoundError, OSError, RuntimeError, ValueError) as fault:
            raise ModelUnavailable(_broken(located, fault)) from fault
        missing = lacking(Path(folder))
        if missing:
            message = say(
                "{id} has no {file}: its weights are in a form that cannot be tuned.", id=located.place, file=missing
            )
            raise ModelUnavailable(error("model-incomplete", message, Where("model.id")))
        return Path(folder)


def _broken(located: Located, fault: BaseException) -> Problem:
    message = say("The download of {id} broke: {reason}", id=located.place, reason=f"{type(fault).__name__}: {fault}")
    fix = say("Run it again: it goes on where it stopped. {way}", way=other_ways())
    return error("download-broken", message, Where("model.id"), fix)


def hub_id(model: Model) -> str:
    """The model's id on this hub: a known alias or another hub's id becomes the one here."""
    known = lookup(model.id)
    here = known and model.id.lower() in {name.lower() for name in (known.size.modelscope or "", *known.size.aliases)}
    return known.size.id if known and here else model.id


def endpoint() -> str:
    """The hub's address without a slash at the end."""
    written = os.environ.get("HF_ENDPOINT", "").strip().rstrip("/") or "https://huggingface.co"
    return written if "://" in written else f"https://{written}"


def cache() -> Path:
    """Where ``huggingface_hub`` keeps models, by its own rules."""
    direct = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    if direct:
        return Path(direct).expanduser()
    general = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return Path(os.environ.get("HF_HOME") or general).expanduser() / "hub"


def offline() -> bool:
    """Whether the user forbade the network."""
    return any(os.environ.get(name, "").lower() in _YES for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))


def other_ways() -> Message:
    """What to do where a hub cannot be reached."""
    return say(
        "Ways out: set HF_ENDPOINT to a mirror; model.source: modelscope; copy the model here and give its folder as "
        "model.id; or model.source: starter, which needs no network."
    )


def sizes(listed: Any) -> dict[str, Any]:
    """File names and sizes (bytes, or ``None``) of the hub's list of files."""
    items = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    return {str(item.get("rfilename")): item.get("size") for item in items}


def token() -> str:
    """The token of the environment or of `hf auth login`; "" for none."""
    from huggingface_hub import get_token

    return get_token() or ""


def _licence(model: Model) -> str:
    known = lookup(model.id)
    return known.family.licence if known else ""


def _snapshots(repository: Path, revision: str) -> Iterator[Path]:
    """Folders in the cache that ``revision`` (branch, tag or commit) means; without one main, then the newest."""
    snapshots = repository / "snapshots"
    try:
        commit = (repository / "refs" / (revision or "main")).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        commit = revision
    if commit:
        yield snapshots / commit
    if not revision:
        yield from sorted(snapshots.glob("*"), key=lambda folder: folder.stat().st_mtime, reverse=True)


def _refused(answer: Answer, model: Model) -> tuple[str, Message]:
    host = urlsplit(endpoint()).netloc
    if answer.reason is not None:
        return "hub-unreachable", say("{host} cannot be reached: {reason}.", host=host, reason=answer.reason)
    if answer.status in (401, 404):
        return "model-unknown", say("{host} has no model {id} that is open to you.", host=host, id=model.id)
    if answer.status == 200:
        return "hub-unreachable", say("{host} answered, but not like a hub: a login page of this network?", host=host)
    if answer.status == 403:
        return "model-gated", say("{host} refuses access to {id}.", host=host, id=model.id)
    if answer.status == 429:
        return "hub-busy", say("{host} gets too many requests from this address.", host=host)
    return "hub-unreachable", say("{host} answered with status {status}.", host=host, status=answer.status)


def _fix(answer: Answer, model: Model) -> Message:
    if answer.status in (401, 403, 404):
        near = nearest(model.id)
        if near and near.lower() != model.id.lower():
            return say("Did you mean {near}?", near=near)
        return say("Check model.id and model.revision; for a private or gated model set HF_TOKEN.")
    return other_ways()
