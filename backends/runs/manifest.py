"""Manifests: which files a folder held when it was whole, how large each was, and the hash of its bytes."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from tunewiz.files import read_json, sha256, sync, write_json
from tunewiz.problems import Message, say

#: The manifest of a checkpoint, in its folder.
MANIFEST: Final = "manifest.json"
#: Files of these kinds do not tell what a folder is worth: what is still being written, and other checkpoints.
_ELSEWHERE: Final = re.compile(r"checkpoint-\d+(\.damaged)?|\..*|" + re.escape(MANIFEST))
_THREADS: Final = 4  # hashing leaves the interpreter's lock; a few threads keep up with any disk

#: ``{name: {"size": bytes, "sha256": hex}}``, names relative to the folder with ``/``.
Manifest = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Fault:
    """What is wrong with ``file`` of a folder that should be whole."""

    file: str
    why: Message


def described(folder: Path) -> Manifest:
    """The manifest of ``folder`` as it is, once all of it is on disk."""
    files = sorted(_files(folder))
    for path in {*files, *(path.parent for path in files), folder}:
        sync(path)
    with ThreadPoolExecutor(_THREADS) as pool:
        hashes = list(pool.map(sha256, files))
    return {
        path.relative_to(folder).as_posix(): {"size": path.stat().st_size, "sha256": digest}
        for path, digest in zip(files, hashes, strict=True)
    }


def write_manifest(folder: Path) -> None:
    """Declare ``folder`` whole: its manifest is written last, when everything else is on disk."""
    write_json(folder / MANIFEST, {"files": described(folder)})


def _files(folder: Path) -> Iterator[Path]:
    for directory, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not _ELSEWHERE.fullmatch(name)]
        yield from (Path(directory, name) for name in names if not _ELSEWHERE.fullmatch(name))


def own_faults(folder: Path, thorough: bool) -> list[Fault] | None:
    """As :func:`faults`, by the manifest in ``folder`` itself; ``None`` where there is none."""
    if not (folder / MANIFEST).exists():
        return None
    told = read_json(folder / MANIFEST)
    return faults(folder, told.get("files") if isinstance(told, dict) else None, thorough)


def faults(folder: Path, manifest: Any, thorough: bool) -> list[Fault]:
    """What of ``manifest`` is not in ``folder``: sizes are compared, and with ``thorough`` every byte.

    Files that the manifest does not name count for nothing. A manifest of another form is a fault.
    """
    if not isinstance(manifest, dict) or not all(isinstance(entry, dict) for entry in manifest.values()):
        return [Fault(MANIFEST, say("its manifest cannot be read"))]
    found = [_size_fault(folder, name, entry.get("size")) for name, entry in manifest.items()]
    wrong = [fault for fault in found if fault]
    if wrong or not thorough:
        return wrong
    with ThreadPoolExecutor(_THREADS) as pool:
        hashes = pool.map(lambda name: _hash(folder / name), manifest)
        same = [digest == entry.get("sha256") for digest, entry in zip(hashes, manifest.values(), strict=True)]
    return [Fault(name, _changed(name)) for name, whole in zip(manifest, same, strict=True) if not whole]


def _changed(name: str) -> Message:
    return say("the bytes of {file} are not those that were written", file=name)


def _size_fault(folder: Path, name: str, size: object) -> Fault | None:
    path, inside = folder / name, PurePosixPath(name)
    try:
        if inside.is_absolute() or ".." in inside.parts or not path.is_file():
            return Fault(name, say("{file} is missing", file=name))
        there = path.stat().st_size
    except (OSError, ValueError):
        return Fault(name, say("{file} is missing", file=name))
    if there == size:
        return None
    return Fault(name, say("{file} has {there} bytes, {size} were written", file=name, there=there, size=str(size)))


def _hash(path: Path) -> str:
    try:
        return sha256(path)
    except OSError:
        return ""


def form_faults(folder: Path, thorough: bool) -> list[Fault]:
    """What can be told of a folder without a manifest: files that end before their own headers say they do.

    safetensors says in its header where its data end; torch writes zip archives with a checksum for each part.
    """
    return [
        fault for path in _files(folder) if (fault := _form_fault(path, path.relative_to(folder).as_posix(), thorough))
    ]


def _form_fault(path: Path, name: str, thorough: bool) -> Fault | None:
    try:
        if path.suffix == ".safetensors":
            whole = _ends_as_it_says(path)
        elif path.suffix in (".pt", ".pth", ".bin"):
            whole = path.stat().st_size > 0 and _unpacks(path, thorough)
        else:
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        whole = False
    return None if whole else Fault(name, say("{file} was not written to its end", file=name))


def _ends_as_it_says(path: Path) -> bool:
    """Whether the data of a safetensors file reach to its end (https://github.com/huggingface/safetensors, Format)."""
    import json

    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 0 < length <= path.stat().st_size - 8:
            return False
        header = json.loads(stream.read(length))
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    return bool(8 + length + max(ends, default=0) == path.stat().st_size)


def _unpacks(path: Path, thorough: bool) -> bool:
    """Whether a zip archive is whole; what is no archive at all (old pickles) cannot be told from a whole one."""
    with path.open("rb") as stream:
        if stream.read(4) != b"PK\x03\x04":
            return True
    try:
        with zipfile.ZipFile(path) as archive:
            return not thorough or archive.testzip() is None
    except (zipfile.BadZipFile, NotImplementedError, EOFError):
        return False
