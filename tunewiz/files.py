"""Files and folders that are either whole or not there: temporary name, fsync, rename."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

#: What is being written beside its place: ``.name.part`` (a folder), ``.name.<process id>.part`` (a file); and the
#: folder that a new one takes the place of: ``.name.old``.
_LEFT: Final = re.compile(r"\.(?P<name>.+?)(?:\.(?P<pid>\d+))?\.(?P<kind>part|old)")


@contextmanager
def whole(path: Path, encoding: str = "utf-8", newline: str = "\n") -> Iterator[IO[str]]:
    """A text stream that becomes ``path`` when the block ends well and vanishes when it does not.

    A reader, or a power cut, never sees half of the file; what was at ``path`` before stays until the rename.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("w", encoding=encoding, newline=newline) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write ``text`` (UTF-8), whole. Raises ``OSError``."""
    with whole(path) as stream:
        stream.write(text)


def write_json(path: Path, record: Any) -> None:
    """Write ``record`` as indented JSON, whole."""
    write_whole(path, json.dumps(record, ensure_ascii=False, indent=2) + "\n")


def write_jsonl(path: Path, records: Iterable[Any]) -> int:
    """Write one JSON value a line, whole; how many there were."""
    count = 0
    with whole(path) as stream:
        for record in records:
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")
            count += 1
    return count


def read_json(path: Path) -> Any:
    """The JSON value in ``path``; ``None`` when it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # the last: brackets in brackets, thousands deep
        return None


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Wait until the file ``path``, or the names in the folder ``path``, are on disk. Raises ``OSError``."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as fault:
        # Some network file systems know no fsync of a folder.
        if fault.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Wait until everything in ``folder`` is on disk."""
    for directory, _, names in os.walk(folder):
        for name in names:
            sync(Path(directory, name))
        sync(Path(directory))


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """An empty folder that becomes ``target`` when the block ends well; until then what was there stays.

    Whenever the process dies, ``target`` is the old folder or the new one, whole, or :func:`put_back` makes it so.
    """
    part, old = target.with_name(f".{target.name}.part"), target.with_name(f".{target.name}.old")
    put_back(target)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        sync_tree(part)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    if target.exists():
        target.rename(old)
    part.rename(target)
    sync(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def discard(folder: Path) -> None:
    """Delete ``folder``, at once for whoever looks for it; :func:`sweep` ends what a kill interrupts."""
    if folder.exists():
        part = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        folder.rename(part)
        shutil.rmtree(part, ignore_errors=True)


def put_back(target: Path) -> None:
    """Undo a replacement of the folder ``target`` that died before the new one stood; take away what it left."""
    old = target.with_name(f".{target.name}.old")
    if old.exists() and not target.exists():
        old.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Take away what writers that died left in ``folder`` and below; a folder that was set aside is put back."""
    for directory, folders, names in os.walk(folder):
        for found in [match for name in folders if (match := _LEFT.fullmatch(name))]:
            folders.remove(found[0])
            if found["kind"] == "old":
                put_back(Path(directory, found["name"]))
            else:
                shutil.rmtree(Path(directory, found[0]), ignore_errors=True)
        for name in names:
            found_file = _LEFT.fullmatch(name)
            if found_file and found_file["pid"] and not _lives(int(found_file["pid"])):
                Path(directory, name).unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    """Whether another process has this id: one that died with it, in a container, may have had ours."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
