"""Datasets of a hub: asked for, told with their size, and downloaded once into the hub's own cache.

What of a repository is needed is what its README says of the subset that is wanted
(:mod:`tunewiz.data.folders.hub_cards`); reading goes on from there as for any folder.
"""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from tunewiz.backends.sources import huggingface, modelscope
from tunewiz.backends.sources.asking import Answer, ask
from tunewiz.backends.sources.source import Located, ModelUnavailable, Progress, check_room, count_bytes
from tunewiz.data.folders.hub_cards import wanted_files
from tunewiz.data.folders.hub_ids import WHOLE, HubDataset, here, hub_dataset, remember
from tunewiz.data.folders.splits import is_data
from tunewiz.data.reading.source import Dataset
from tunewiz.presets.preset import Preset, RetrievalPreset
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.problems import BadData, Message, Problem, Where, error, say

#: Seconds a hub may take for a list of files or a README.
_PATIENCE: Final = 20.0


@dataclass(frozen=True)
class Wanted:
    """What has to be downloaded: ``files`` of ``dataset``, ``size`` bytes in all (``None`` if unknown)."""

    dataset: HubDataset
    subset: str
    files: tuple[str, ...]
    size: int | None
    commit: str

    @property
    def told(self) -> Message:
        """What it is, and how large."""
        if self.size is None:
            return say("{id}: {count} files will be downloaded.", id=str(self.dataset), count=len(self.files))
        size = f"{self.size / 1e6:,.1f}"
        return say("{id}: {count} files, {size} MB, will be downloaded.", id=str(self.dataset),
                   count=len(self.files), size=size)  # fmt: skip


def hub_datasets(preset: Preset) -> list[Dataset]:
    """Everything of a hub that a run of ``preset`` reads."""
    if not isinstance(preset, (LlmPreset, RetrievalPreset)):
        return []
    held_out, own = preset.data.evaluation, preset.data.datasets
    found = [*own]
    for name in ("data", "corpus", "queries", "qrels"):
        path = getattr(held_out, name, None)
        if path:
            found.append(own[0].at(path))
    return [dataset for dataset in found if hub_dataset(dataset.path) is not None]


def absent(datasets: Iterable[Dataset]) -> list[Dataset]:
    """Those of ``datasets`` that are named by a hub's id and not on this machine."""
    found: dict[str, Dataset] = {}
    for dataset in datasets:
        named = hub_dataset(dataset.path)
        if named is not None and not here(named, dataset.subset):
            found.setdefault(f"{dataset.path} {dataset.subset}", dataset)
    return list(found.values())


def look(dataset: Dataset) -> Wanted:
    """Ask the hub what has to be downloaded. Raises :class:`ModelUnavailable` or :class:`BadData`."""
    named = hub_dataset(dataset.path)
    if named is None:
        raise ValueError(dataset.path)
    hub = _hub(named)
    files, commit = hub.listing()
    inside = [name for name in files if name == named.inside or name.startswith(f"{named.inside}/")]
    if named.inside and inside:
        chosen, subset = [*inside, *(name for name in files if name == "README.md")], named.inside
    else:
        subset = named.inside or dataset.subset
        chosen = wanted_files(files, hub.card() if "README.md" in files else "", subset, dataset.path)
    if all(name in chosen for name in files if is_data(Path(name))):
        subset = WHOLE
    sizes = [files[name] for name in chosen]
    known = [size for size in sizes if size is not None]
    return Wanted(named, subset, tuple(chosen), sum(known) if len(known) == len(sizes) else None, commit)


def download(wanted: Wanted, progress: Progress) -> Path:
    """Bring the files here (resumable), and note where they lie. Raises :class:`ModelUnavailable`."""
    hub = _hub(wanted.dataset)
    place = wanted.dataset.repository
    located = Located(wanted.dataset.hub, place, False, wanted.size, files=wanted.files)
    check_room(located, hub.cache)
    try:
        with count_bytes(hub.cache, wanted.size, progress):
            folder = hub.download(list(wanted.files))
    except ModelUnavailable:
        raise
    except Exception as fault:
        message = say("The download of {id} broke: {reason}", id=place, reason=f"{type(fault).__name__}: {fault}"[:300])
        fix = say("Run it again: it goes on where it stopped.")
        raise ModelUnavailable(error("download-broken", message, Where(file=str(wanted.dataset)), fix)) from fault
    lacking = next((name for name in wanted.files if not (folder / name).is_file()), "")
    if lacking:
        message = say("The download of {id} is not whole: {file} is missing.", id=place, file=lacking)
        raise ModelUnavailable(error("download-broken", message, Where(file=str(wanted.dataset))))
    remember(wanted.dataset, folder, {wanted.subset}, wanted.commit)
    return folder


def fetch_all(datasets: Iterable[Dataset], tell: Callable[[Message], None], progress: Progress) -> None:
    """Download what is missing of ``datasets``, after its size was told.

    Raises :class:`ModelUnavailable` or :class:`BadData`, for all of them at once where several cannot be had.
    """
    wanted: list[Wanted] = []
    problems: list[Problem] = []
    for dataset in absent(datasets):
        named = hub_dataset(dataset.path)
        if named is not None and _adopted(named, dataset.subset):
            continue
        try:
            wanted.append(look(dataset))
        except (ModelUnavailable, BadData) as fault:
            problems += fault.problems
    if problems:
        raise ModelUnavailable(*problems)
    for one in wanted:
        tell(one.told)
        download(one, progress)


def bring(datasets: Iterable[Dataset]) -> None:
    """Download what is missing of ``datasets``, untold: for a child that only the outcome is asked of.

    Raises as :func:`fetch_all`.
    """
    fetch_all(datasets, lambda _message: None, lambda _done, _all: None)


def _adopted(dataset: HubDataset, subset: str) -> bool:
    """Whether offline a snapshot that something else downloaded serves: what is in it is all there is."""
    if not huggingface.offline() or dataset.hub != "huggingface":
        return False
    repository = huggingface.cache() / f"datasets--{dataset.repository.replace('/', '--')}"
    try:
        commit = (repository / "refs" / (dataset.revision or "main")).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        commit = dataset.revision
    folder = repository / "snapshots" / commit
    if not commit or not folder.is_dir():
        return False
    remember(dataset, folder, {dataset.inside or subset}, commit)
    return True


# The hubs.


class _Hub(ABC):
    """A repository of a dataset on a hub."""

    def __init__(self, dataset: HubDataset) -> None:
        self.dataset = dataset

    @property
    @abstractmethod
    def cache(self) -> Path:
        """Where its library keeps what it downloads."""

    @abstractmethod
    def listing(self) -> tuple[Mapping[str, int | None], str]:
        """Files with their bytes, and the commit. Raises :class:`ModelUnavailable`."""

    @abstractmethod
    def card(self) -> str:
        """Its README."""

    @abstractmethod
    def download(self, files: list[str]) -> Path:
        """The folder with ``files``, brought here."""

    def refused(self, answer: Answer, endpoint: str) -> ModelUnavailable:
        """Why there is no list of files."""
        host, where = urlsplit(endpoint).netloc, Where(file=str(self.dataset))
        if answer.reason is not None:
            message = say("{host} cannot be reached: {reason}.", host=host, reason=answer.reason)
            fix = say("Set HF_ENDPOINT to a mirror, use modelscope:OWNER/NAME, or copy the dataset here and give its "
                      "folder.")  # fmt: skip
            return ModelUnavailable(error("hub-unreachable", message, where, fix))
        if answer.status in (401, 403, 404):
            message = say("{host} has no dataset {id} that is open to you.", host=host, id=self.dataset.repository)
            fix = say(
                "Check the id and the revision; for a private or gated dataset accept its terms and set HF_TOKEN."
            )
            return ModelUnavailable(error("dataset-unknown", message, where, fix))
        if answer.status == 200:
            message = say("{host} answered, but not like a hub: a login page of this network?", host=host)
        else:
            message = say("{host} answered with status {status}.", host=host, status=answer.status)
        return ModelUnavailable(error("hub-unreachable", message, where))


def _hub(dataset: HubDataset) -> _Hub:
    return _HuggingFace(dataset) if dataset.hub == "huggingface" else _ModelScope(dataset)


class _HuggingFace(_Hub):
    @property
    def cache(self) -> Path:
        return huggingface.cache()

    def listing(self) -> tuple[Mapping[str, int | None], str]:
        if huggingface.offline():
            message = say("HF_HUB_OFFLINE is set and the dataset is not in the cache.")
            fix = say("Unset it to download.")
            raise ModelUnavailable(error("hub-offline", message, Where(file=str(self.dataset)), fix))
        revision = f"/revision/{quote(self.dataset.revision, safe='')}" if self.dataset.revision else ""
        url = f"{huggingface.endpoint()}/api/datasets/{quote(self.dataset.repository)}{revision}?blobs=true"
        answer = ask(url, _PATIENCE, huggingface.token())
        record = answer.json()
        if answer.status != 200 or not isinstance(record, dict) or not isinstance(record.get("siblings"), list):
            raise self.refused(answer, huggingface.endpoint())
        return huggingface.sizes(record["siblings"]), str(record.get("sha") or self.dataset.revision)

    def card(self) -> str:
        revision = quote(self.dataset.revision or "main", safe="")
        url = f"{huggingface.endpoint()}/datasets/{quote(self.dataset.repository)}/resolve/{revision}/README.md"
        return ask(url, _PATIENCE, huggingface.token()).body.decode("utf-8", "replace")

    def download(self, files: list[str]) -> Path:
        from huggingface_hub import snapshot_download

        return Path(
            snapshot_download(
                self.dataset.repository,
                repo_type="dataset",
                revision=self.dataset.revision or None,
                cache_dir=huggingface.cache(),
                allow_patterns=[_literal(name) for name in files],
                endpoint=huggingface.endpoint(),
            )
        )


def _literal(name: str) -> str:
    """A file's name as a pattern that means it alone."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in name)


class _ModelScope(_Hub):
    @property
    def cache(self) -> Path:
        return modelscope.cache()

    @property
    def _revision(self) -> str:
        return self.dataset.revision or "master"

    def listing(self) -> tuple[Mapping[str, int | None], str]:
        if importlib.util.find_spec("modelscope") is None:
            message = say("The package modelscope is not installed.")
            fix = say("Install it: {command}", command="pip install 'tunewiz[modelscope]'")
            raise ModelUnavailable(error("modelscope-missing", message, Where(file=str(self.dataset)), fix))
        found: dict[str, int | None] = {}
        for page in range(1, _PAGES + 1):
            query = f"Revision={quote(self._revision, safe='')}&Recursive=True&PageNumber={page}&PageSize={_PAGE}"
            url = f"{modelscope.endpoint()}/api/v1/datasets/{quote(self.dataset.repository)}/repo/tree?{query}"
            answer = ask(url, _PATIENCE)
            record = answer.json()
            data = record.get("Data") if isinstance(record, dict) else None
            if answer.status != 200 or not isinstance(data, dict):
                raise self.refused(answer, modelscope.endpoint())
            listed: Any = data.get("Files")
            found |= modelscope.sizes(listed)
            if not isinstance(listed, list) or len(listed) < _PAGE:
                break
        return found, self._revision

    def card(self) -> str:
        query = f"Revision={quote(self._revision, safe='')}&FilePath=README.md"
        url = f"{modelscope.endpoint()}/api/v1/datasets/{quote(self.dataset.repository)}/repo?{query}"
        return ask(url, _PATIENCE).body.decode("utf-8", "replace")

    def download(self, files: list[str]) -> Path:
        from modelscope import dataset_snapshot_download

        place: Any = dataset_snapshot_download(
            self.dataset.repository, revision=self._revision, allow_patterns=[_literal(name) for name in files]
        )
        return Path(place)


_PAGE: Final = 200  # files; the hub cuts longer pages off without a word
_PAGES: Final = 500
