"""Datasets named by their id on a hub: ``hf:OWNER/NAME``, ``modelscope:OWNER/NAME``, what of them is meant, and where
they lie once they were downloaded.

``hf:OWNER/NAME@REVISION/INSIDE`` names a revision, and a file, a folder or a configuration in the repository. Nothing
is downloaded here: who does keeps a note for each repository (:func:`remember`), and reading goes by that.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from tunewiz import paths
from tunewiz.files import read_json, write_json
from tunewiz.problems import BadData, Where, error, say

#: What stands before an id, and the hub that is meant.
HUBS: Final = {"hf:": "huggingface", "huggingface:": "huggingface", "modelscope:": "modelscope", "ms:": "modelscope"}


@dataclass(frozen=True)
class HubDataset:
    """``inside`` is a path in the repository or the name of a configuration, "" for all of it."""

    hub: str
    repository: str
    revision: str = ""
    inside: str = ""

    @property
    def root(self) -> HubDataset:
        """The whole repository."""
        return HubDataset(self.hub, self.repository, self.revision)

    def __str__(self) -> str:
        sign = next(sign for sign, hub in HUBS.items() if hub == self.hub)
        revision = f"@{quote(self.revision, safe='')}" if self.revision else ""
        return f"{sign}{self.repository}{revision}{'/' if self.inside else ''}{self.inside}"


def on_hub(path: str) -> bool:
    """Whether ``path`` names a dataset of a hub."""
    return path.startswith(tuple(HUBS))


def hub_dataset(path: str) -> HubDataset | None:
    """What ``path`` names on a hub; ``None`` where it is no such name.

    Raises :class:`BadData` (``bad-hub-id``) for one that is no id.

    >>> hub_dataset("hf:org/name@v1/data/train.jsonl")
    HubDataset(hub='huggingface', repository='org/name', revision='v1', inside='data/train.jsonl')
    """
    sign = next((sign for sign in HUBS if path.startswith(sign)), None)
    if sign is None:
        return None
    rest = path.removeprefix(sign).strip().removeprefix("//").removeprefix("datasets/").strip("/")
    owner, _, behind = rest.partition("/")
    name, _, inside = behind.partition("/")
    name, _, revision = name.partition("@")
    if not owner or not name or "@" in owner or ".." in inside.split("/"):
        message = say("{path} is no id of a dataset: those are {form}.", path=path, form=f"{sign}OWNER/NAME")
        fix = say("For example: {example}", example=f"{sign}sentence-transformers/natural-questions")
        raise BadData(error("bad-hub-id", message, Where(file=path), fix))
    return HubDataset(HUBS[sign], f"{owner}/{name}", unquote(revision), inside)


_PAGE: Final = re.compile(
    r"(?:https?://)?(?:[\w-]+\.)*(?P<hub>huggingface|hf-mirror|modelscope)\.\w+/datasets/(?P<id>[^/?#\s]+/[^/?#\s]+)"
    r"(?:/(?:blob|resolve|raw|tree|viewer|file/view)/[^/?#\s]+/(?P<inside>[^?#\s]+))?"
)
#: A file's ending, which names of datasets on hubs lack.
_FILE: Final = re.compile(r"\.[A-Za-z]{2,8}$")
_BARE: Final = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


def meant_by(path: str) -> tuple[str, ...]:
    """The names of a hub's dataset that ``path`` may mean: the address of its page, or an id without the hub.

    >>> meant_by("https://huggingface.co/datasets/org/name/blob/main/a.jsonl"), meant_by("org/name"), meant_by("a.csv")
    (('hf:org/name/a.jsonl',), ('hf:org/name', 'modelscope:org/name'), ())
    """
    page = _PAGE.match(path.strip())
    if page:
        sign = "modelscope:" if page["hub"] == "modelscope" else "hf:"
        return (sign + page["id"] + (f"/{page['inside']}" if page["inside"] else ""),)
    bare = _BARE.fullmatch(path.strip())
    return (f"hf:{bare[0]}", f"modelscope:{bare[0]}") if bare and not _FILE.search(bare[0]) else ()


def at_revision(path: str, revision: str) -> str:
    """``path`` of a hub with ``revision`` in it, unless it names one itself; other paths as they are."""
    if not revision or not on_hub(path):
        return path
    found = hub_dataset(path)
    if found is None or found.revision:
        return path
    return str(HubDataset(found.hub, found.repository, revision, found.inside))


# Where it lies once it was downloaded.


#: All of a repository.
WHOLE: Final = "*"


def _note(dataset: HubDataset) -> Path:
    name = f"{dataset.hub}--{dataset.repository.replace('/', '--')}"
    told = hashlib.sha256(f"{name}@{dataset.revision}".encode()).hexdigest()[:12]
    return paths.cache() / "datasets" / f"{name}-{told}.json"


def remember(dataset: HubDataset, folder: Path, parts: set[str], commit: str) -> None:
    """Note that ``parts`` of the repository lie whole in ``folder``: subsets ("" for the default) or :data:`WHOLE`."""
    known = kept_parts(dataset) if kept_folder(dataset) == folder else set()
    write_json(_note(dataset), {"folder": str(folder), "parts": sorted(known | parts), "commit": commit})


def kept_folder(dataset: HubDataset) -> Path | None:
    """The folder that holds the repository, or some of it."""
    known = read_json(_note(dataset))
    folder = known.get("folder") if isinstance(known, dict) else None
    return Path(folder) if isinstance(folder, str) and Path(folder).is_dir() else None


def kept_parts(dataset: HubDataset) -> set[str]:
    """What of the repository was downloaded whole."""
    known = read_json(_note(dataset))
    parts = known.get("parts") if isinstance(known, dict) else None
    return set(map(str, parts)) if isinstance(parts, list) else set()


def here(dataset: HubDataset, subset: str = "") -> bool:
    """Whether what is meant was downloaded."""
    return kept_folder(dataset) is not None and bool({WHOLE, dataset.inside or subset} & kept_parts(dataset))


def absent(path: str) -> BadData:
    """That a dataset was not downloaded yet: who may use the network does that, and asks again."""
    message = say("The dataset is not on this machine yet.")
    fix = say("A run downloads it; so does: tunewiz data {path}", path=path)
    return BadData(error(ABSENT, message, Where(file=path), fix))


#: The code of what :func:`absent` tells.
ABSENT: Final = "dataset-absent"


def downloaded(path: str) -> Path:
    """The file or folder that ``path`` of a hub names; for a configuration, the whole repository.

    Raises :class:`BadData` (:data:`ABSENT`) where it was not downloaded.
    """
    dataset = hub_dataset(path)
    folder = kept_folder(dataset) if dataset else None
    if dataset is None or folder is None:
        raise absent(path)
    place = folder / dataset.inside
    if place.exists():
        return place
    if not here(dataset):
        raise absent(path)
    return folder
