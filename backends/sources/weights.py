"""Which files make a model, and whether a folder holds them all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

_OTHER_FORMATS: Final = {".onnx", ".ot", ".h5", ".msgpack", ".tflite", ".gguf", ".pb", ".mlmodel", ".data"}
_PICTURES: Final = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg", ".pdf"}
_OTHER_FOLDERS: Final = {"onnx", "openvino", "coreml", "imgs", "images", "assets", "figures", "training_scripts"}


def needed(files: Iterable[str]) -> tuple[str, ...]:
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
    return sum((folder / name).stat().st_size for name in needed(names))
