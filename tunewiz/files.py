"""Files and folders that are either whole or not there: temporary name, fsync, rename. And reading whatever is there.

What is being written lies beside its place: ``.name.part`` (a folder), ``.name.<process id>.<number>.part`` (a file);
and so does the folder that a new one takes the place of: ``.name.old``.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import re
import shutil
import stat
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO, Final

PRIVATE: Final = 0o600  # the mode of a file that only its owner reads
_COUNT: Final = itertools.count()


@contextmanager
def whole(path: Path, encoding: str = "utf-8", newline: str = "\n", mode: int | None = None) -> Iterator[IO[str]]:
    """A text stream that becomes ``path`` when the block ends well and vanishes when it does not.

    A reader, or a power cut, never sees half of the file; what was at ``path`` before stays until the rename.
    ``mode`` are the permissions, whatever the umask; without it the umask decides. Raises ``OSError``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{next(_COUNT)}.part")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode or 0o666)
        with os.fdopen(descriptor, "w", encoding=encoding, newline=newline) as stream:
            if mode is not None:
                os.fchmod(descriptor, mode)
            yield stream
            stream.flush()
            os.fsync(descriptor)
        temporary.replace(path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, text: str, mode: int | None = None) -> None:
    """Write ``text`` (UTF-8), whole; ``mode`` as for :func:`whole`. Raises ``OSError``."""
    with whole(path, mode=mode) as stream:
        stream.write(text)


def write_json(path: Path, record: Any, mode: int | None = None) -> None:
    """Write ``record`` as indented JSON, whole; ``mode`` as for :func:`whole`."""
    write_whole(path, json.dumps(record, ensure_ascii=False, indent=2) + "\n", mode)


def write_jsonl(path: Path, records: Iterable[Any]) -> int:
    """Write one JSON value a line, whole; how many there were."""
    count = 0
    with whole(path) as stream:
        for record in records:
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")
            count += 1
    return count


def append_line(path: Path, text: str, lasting: bool = False) -> None:
    """Append ``text`` as a line of its own, whatever half a line a kill or a full disk has left there.

    One ``write`` call, so that a reader sees whole lines; with ``lasting`` it is on disk when this returns. A new file
    is its owner's alone. Raises ``OSError``.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
    try:
        size = os.fstat(descriptor).st_size
        begun = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        rest = ("\n" * begun + text + "\n").encode("utf-8", "backslashreplace")
        while rest:  # a nearly full disk takes a part
            rest = rest[os.write(descriptor, rest) :]
        if lasting:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


# Space that runs out.


_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
#: What libraries say in place of an error number: Rust's and C's words, and those of torch's archive writer.
_FULL_WORDS: Final = ("no space left", "quota exceeded", "pytorchstreamwriter failed writing", "file write failed")


def is_full(fault: BaseException) -> bool:
    """Whether ``fault``, or what it was raised from, is a disk (or a quota) that is full."""
    return full_cause(fault) is not None


def full_cause(fault: BaseException | None) -> BaseException | None:
    """``fault``, or that of its causes which says that a disk (or a quota) is full."""
    return next((one for one in causes(fault) if _says_full(one)), None)


def causes(fault: BaseException | None) -> Iterator[BaseException]:
    """``fault`` and what it was raised from, the latest first; ten at most, since causes may go round."""
    for _ in range(10):
        if fault is None:
            return
        yield fault
        fault = fault.__cause__ or fault.__context__


def _says_full(fault: BaseException) -> bool:
    words = str(fault).lower()
    return getattr(fault, "errno", None) in _FULL or any(sign in words for sign in _FULL_WORDS)


def set_aside(path: Path, size: int) -> None:
    """Make ``path`` a file that takes ``size`` bytes of disk, for when they are needed. Raises ``OSError``."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, PRIVATE)
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError as fault:
        if is_full(fault):
            path.unlink(missing_ok=True)
            raise
        # No such call here: bytes that no file system compresses or leaves out.
        os.pwrite(descriptor, os.urandom(size), 0)
    finally:
        os.close(descriptor)


# What a killed writer leaves.


#: Seconds after which nobody is still writing one of our small files, not even on another machine of the same home.
ABANDONED: Final = 3600.0
_PART: Final = r"\..+?\.(\d+)(\.\d+)?\.part"
_LEFT: Final = r"\.(?P<name>.+)\.(?P<kind>part(\.\w+)?|old)"


def sweep(folder: Path, older: float = 0.0) -> list[Path]:
    """Remove from ``folder`` what :func:`whole` began there and its process, which is gone, did not end; what it was.

    ``older``: only files at least so many seconds old: where other machines write too, their processes are not seen.
    """
    swept = []
    with suppress(OSError):
        for path in folder.iterdir():
            named = re.fullmatch(_PART, path.name)
            if named and _abandoned(path, int(named[1]), older):
                with suppress(OSError):
                    path.unlink()
                    swept.append(path)
    return swept


def sweep_tree(folder: Path, apart: Collection[str] = ()) -> None:
    """As :func:`sweep`, in ``folder`` and below, but for folders called as those ``apart``.

    For who alone writes there: it also takes away what names no process, and puts back a folder that was set aside.
    """
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in apart]
        sweep(Path(place))
        left = {match[0]: match for name in folders if (match := re.fullmatch(_LEFT, name))}
        left |= {
            name: match for name in files if not re.fullmatch(_PART, name) and (match := re.fullmatch(_LEFT, name))
        }
        folders[:] = [name for name in folders if name not in left]
        for name, match in left.items():
            path = Path(place, name)
            with suppress(OSError):
                if path.is_symlink() or not path.is_dir():
                    path.unlink()
                elif match["kind"] == "old":
                    put_back(path.with_name(match["name"]))
                else:
                    shutil.rmtree(path)


def _abandoned(path: Path, pid: int, older: float) -> bool:
    import psutil

    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or time.time() - found.st_mtime < older:
            return False
        # An id is used again: a process that began after the last write is another one. Ages, since clocks are set.
        begun = psutil.Process(pid).create_time() - psutil.boot_time()
        return time.clock_gettime(time.CLOCK_BOOTTIME) - begun < time.time() - found.st_mtime - 2
    except (psutil.NoSuchProcess, OverflowError):
        return True
    except (OSError, psutil.Error):
        return False


def keep_private(folder: Path) -> None:
    """Take from all others what libraries let them read and write.

    Not by the umask: models and data that are cached on the way may be shared with others.
    """
    for place, _folders, files in os.walk(folder):
        for path in (Path(place), *(Path(place, name) for name in files)):
            with suppress(OSError):
                found = path.lstat()
                shared = stat.S_ISREG(found.st_mode) and found.st_nlink > 1  # a cache's file, linked
                if not stat.S_ISLNK(found.st_mode) and not shared and found.st_mode & 0o077:
                    path.chmod(stat.S_IMODE(found.st_mode) & 0o700)


# Reading: a folder may hold anything under the name that is looked for.


LARGEST: Final = 1 << 28  # bytes of a file that is read at once; reports of a hundred thousand queries take a tenth
DEEPEST: Final = 64  # levels of nesting; nothing of ours has ten
_DIGITS: Final = 18  # of a whole number that fits 64 bits


def open_regular(path: Path) -> BinaryIO:
    """``path`` opened for reading. Raises ``OSError`` also where it is a folder, a pipe or a device.

    Opening a pipe waits for its writer, for ever if there is none; opening a device may do something.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EISDIR if path.is_dir() else errno.EINVAL, "no regular file", str(path))
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")


def no_files(folder: Path) -> Iterator[Path]:
    """What stands under ``folder``, at any depth, in place of files: pipes, devices, sockets, links to such."""
    for place, _folders, names in os.walk(folder):
        for path in (Path(place, name) for name in names):
            with suppress(OSError):  # a link that leads nowhere is opened in vain, but at once
                if not stat.S_ISREG(path.stat().st_mode):
                    yield path


def read_bytes(path: Path, largest: int = LARGEST) -> bytes:
    """What is in ``path``. Raises ``OSError``, also where it is no regular file or larger than ``largest`` bytes."""
    with open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        found = b"" if size > largest else stream.read(largest + 1)
    if max(size, len(found)) > largest:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return found


def read_lines(path: Path, longest: int = LARGEST >> 4) -> Iterator[str]:
    """The lines of ``path`` without their ends. Raises ``OSError``, also for a line of more than ``longest`` bytes."""
    with open_regular(path) as stream:
        while line := stream.readline(longest + 1):
            if len(line) > longest:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
            yield line.decode("utf-8", "replace").removesuffix("\n")


def read_json(path: Path) -> Any:
    """The JSON value in ``path``; ``None`` when it is missing, damaged or nothing that we could have written.

    A lack of memory is none of these, and raised: a run that took it for a damaged file would go on without what is in
    it.
    """
    try:
        return read_own_json(path)
    except (OSError, ValueError):
        return None


def read_own_json(path: Path) -> Any:
    """The JSON value that this run wrote to ``path``. Raises ``OSError``, ``ValueError`` (damaged), ``MemoryError``.

    Where a run lacks memory that must be told, not that its own file is damaged.
    """
    return parse_json(read_bytes(path).decode("utf-8"))


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in ``path``; empty where :func:`read_json` finds none."""
    found = read_json(path)
    return found if isinstance(found, dict) else {}


def parse_json(text: str) -> Any:
    """The value of ``text``. Raises ``ValueError``, also for nesting deeper than :data:`DEEPEST`.

    Whole numbers of more than 18 digits become floats, so that every number can be computed with.
    """
    try:
        value = json.loads(text, parse_int=_number)
    except RecursionError as fault:
        raise ValueError("nested too deeply") from fault
    level = [value]
    for _ in range(DEEPEST):
        level = [item for outer in level for item in _inside(outer) if isinstance(item, (dict, list))]
        if not level:
            return value
    raise ValueError("nested too deeply")


def _number(text: str) -> int | float:
    return int(text) if len(text) <= _DIGITS else float(text)


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


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
    """Delete ``folder``, at once for whoever looks for it; :func:`sweep_tree` ends what a kill interrupts."""
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
