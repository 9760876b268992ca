"""What a source of models is, and what is known of a model once it is found.

Which files make a model, and how they are downloaded.
"""

from __future__ import annotations

import json
import shutil
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar, Final

from tunewiz.presets.families import starter_for
from tunewiz.presets.sections.model import EncoderModel, Model
from tunewiz.problems import Problem, TunewizError, Where, error, say

#: What stands for the packaged model that knows the language of the texts.
STARTER: Final = "starter"
#: Told of bytes on disk and bytes in all (0: unknown), about twice a second.
Progress = Callable[[int, int], None]
#: Takes problems that do not end the search, such as a hub that did not answer.
Report = Callable[[Problem], None]


class ModelUnavailable(TunewizError):
    """A model cannot be had: not there, not reachable, not allowed, or damaged."""


@dataclass(frozen=True)
class Located:
    """Where a model is. ``place`` is a folder when ``cached``, otherwise the id on the hub.

    ``size`` is in bytes (of the files that are needed), ``None`` if unknown; ``files`` are those files (empty: all).
    ``unpacks``: the seconds that fetching it takes although nothing is downloaded (0: none).
    """

    source: str
    place: str
    cached: bool
    size: int | None = None
    licence: str = ""
    revision: str = ""
    files: tuple[str, ...] = ()
    unpacks: int = 0


class Source(ABC):
    """Where weights come from. ``local`` never uses the network, ``find`` may, ``fetch`` downloads."""

    name: ClassVar[str]
    #: Whether ``auto`` may ask it over the network.
    hub: ClassVar[bool] = False

    @abstractmethod
    def local(self, model: Model) -> Located | None:
        """The model if it is whole on this machine."""

    @abstractmethod
    def find(self, model: Model, seconds: float) -> Located:
        """The model, asked for within ``seconds``. Raises :class:`ModelUnavailable`."""

    @abstractmethod
    def fetch(self, located: Located, progress: Progress) -> Path:
        """The folder with the model, downloaded if need be. Raises :class:`ModelUnavailable`."""


def search_model(name: str, language: str = "en") -> EncoderModel:
    """The model section that ``name`` stands for; of the starters the one for texts in ``language``."""
    if name == STARTER:
        return EncoderModel(id=starter_for(language), source="starter")
    return EncoderModel(id=name, source="local" if Path(name).is_dir() else "auto")


def loss_model(name: str) -> EncoderModel:
    """The model that an option of a loss names, ``starter`` included."""
    return EncoderModel(id=name, source="starter" if name == STARTER else "auto")


# Which files make a model, and whether a folder holds them all.


_OTHER_FORMATS: Final = {".onnx", ".ot", ".h5", ".msgpack", ".tflite", ".gguf", ".pb", ".mlmodel", ".data"}
_PICTURES: Final = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg", ".pdf"}
_OTHER_FOLDERS: Final = {"onnx", "openvino", "coreml", "imgs", "images", "assets", "figures", "training_scripts"}


def needed_files(files: Iterable[str]) -> tuple[str, ...]:
    """Of a repository's files those that training reads: no exports to other runtimes, one copy of the weights."""
    kept = [name for name in files if _is_read(PurePosixPath(name))]
    safe = any(PurePosixPath(name).suffix == ".safetensors" and "/" not in name for name in kept)
    return tuple(name for name in kept if not (safe and _is_pickle(name)))


def _is_read(path: PurePosixPath) -> bool:
    return path.suffix.lower() not in _OTHER_FORMATS | _PICTURES and not _OTHER_FOLDERS & set(path.parts[:-1])


def _is_pickle(name: str) -> bool:
    return name.startswith("pytorch_model") and "/" not in name


def lacking(folder: Path) -> str:
    """The first thing that ``folder`` lacks to be a model ("" if nothing): a file's name as users know it."""
    if not (folder / "config.json").is_file():
        return "config.json"
    for index in (*sorted(folder.glob("*.safetensors.index.json")), *sorted(folder.glob("pytorch_model*.index.json"))):
        return _missing_shard(folder, index)
    weights = [*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")]
    return "" if any(path.is_file() for path in weights) else "model.safetensors"


def _missing_shard(folder: Path, index: Path) -> str:
    try:
        shards = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
    except (OSError, ValueError, KeyError, TypeError):
        return index.name
    names = {str(name) for name in shards.values()} if isinstance(shards, Mapping) else {index.name}
    return next((name for name in sorted(names) if not (folder / name).is_file()), "")


def size_of(folder: Path) -> int:
    """Bytes of the files in ``folder`` that training reads, links followed."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sum((folder / name).stat().st_size for name in needed_files(names))


# A download: room for it checked first, bytes counted while it goes.


GB: Final = 1e9
_RESERVE: Final = 500_000_000  # bytes left free beside a download: a disk filled to the last byte breaks other programs


def check_room(located: Located, folder: Path) -> None:
    """Raise :class:`ModelUnavailable` if the disk of ``folder`` (which need not exist) is too small for the model."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if located.size is not None and free < located.size + _RESERVE:
        sizes = {"needed": f"{located.size / GB:.1f}", "free": f"{free / GB:.1f}", "folder": str(folder)}
        message = say("The model takes {needed} GB and {folder} has {free} GB left.", **sizes)
        fix = say("Free some space, or set HF_HOME (ModelScope: MODELSCOPE_CACHE) to a folder on a larger disk.")
        raise ModelUnavailable(error("disk-full", message, Where("model.id"), fix))


@contextmanager
def count_bytes(folder: Path, total: int | None, progress: Progress) -> Iterator[None]:
    """Tell ``progress`` of the bytes that ``folder`` grows by, until the block ends."""
    before, done = _bytes_in(folder), threading.Event()

    def count() -> None:
        while not done.wait(0.5):  # seconds between two looks at the disk: progress moves, and the disk rests
            progress(max(0, _bytes_in(folder) - before), total or 0)

    counting = threading.Thread(target=count, daemon=True, name="download-progress")
    counting.start()
    try:
        yield
    finally:
        done.set()
        counting.join()
    progress(total or max(0, _bytes_in(folder) - before), total or 0)


def _bytes_in(folder: Path) -> int:
    found = 0
    for path in folder.rglob("*"):
        try:
            if path.is_file() and not path.is_symlink():
                found += path.stat().st_size
        except OSError:  # renamed or deleted by the download between the two calls
            continue
    return found
