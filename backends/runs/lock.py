"""One process at a time carries a run: a lock on a file in its directory, and in that file who holds it.

The file is written in place and never replaced, since a lock belongs to the file and not to its name.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import pwd
import socket
import stat
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

import psutil

from tunewiz.backends.runs.events import LATEST
from tunewiz.files import PRIVATE, open_regular, read_json

FILE: Final = "process.json"
#: The number of the inherited descriptor that holds the lock, in the environment of a run's processes.
VARIABLE: Final = "TUNEWIZ_RUN_LOCK"
_ROOM: Final = 1024  # bytes of the record, so that a full disk has room for the next one where this one stands
#: How file systems say that they have no such locks: NFS without its lock service, Lustre, FUSE.
_UNKNOWN: Final = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL)


class NoLocks(OSError):
    """The file system of the run knows no locks."""


class Owner(NamedTuple):
    """Who carries a run: the child, and the ``keeper`` that waits for it (0: none). Times in seconds since the epoch.

    A process is its id and the time it began, since ids are used again; ``boot_time`` tells whether the machine is
    still up, ``host`` which one it is.
    """

    pid: int = 0
    create_time: float = 0.0
    keeper: int = 0
    keeper_create_time: float = 0.0
    boot_time: float = 0.0
    host: str = ""
    user: str = ""
    since: float = 0.0

    @property
    def here(self) -> bool:
        """Whether it is, or was, a process of this machine; records of older versions name none."""
        return self.host in ("", socket.gethostname())


def owner_of(directory: Path) -> Owner | None:
    """Who the run in ``directory`` is, or was last, carried by; ``None`` where that cannot be told."""
    record = _record(directory / FILE)
    if record is None:
        return None
    known = {name: record[name] for name in Owner._fields if name in record}
    return Owner(**known) if all(_fits(value, Owner._field_defaults[name]) for name, value in known.items()) else None


def _fits(value: Any, default: object) -> bool:
    if isinstance(default, str):
        return isinstance(value, str)
    number = isinstance(value, int) or (isinstance(default, float) and isinstance(value, float))
    return number and bool(0 <= value <= LATEST)


def _record(file: Path) -> dict[str, Any] | None:
    # Written in place: who reads just then may see half of each, and reads again.
    for _ in range(2):
        found = read_json(file)
        if isinstance(found, dict):
            return found
    return None


def write_owner(directory: Path, pid: int, keeper: int = 0) -> None:
    """Record that the process ``pid``, waited for by ``keeper``, carries the run. Raises ``OSError``."""
    found = Owner(
        pid, began(pid), keeper, began(keeper), psutil.boot_time(), socket.gethostname(), user_name(), time.time()
    )
    record = json.dumps(found._asdict(), ensure_ascii=False).encode("utf-8", "backslashreplace")
    descriptor = _open(directory)
    try:
        os.pwrite(descriptor, record.ljust(_ROOM - 1) + b"\n", 0)
    finally:
        os.close(descriptor)


def began(pid: int) -> float:
    """When the process ``pid`` began; 0.0 if there is none."""
    try:
        return psutil.Process(pid).create_time() if pid else 0.0
    except psutil.Error:
        return 0.0


def user_name() -> str:
    """The login name of who runs this, or the number where it has none (as in many containers)."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def take(directory: Path) -> int | None:
    """A descriptor that holds the lock of the run in ``directory`` as long as it, or a copy of it, is open.

    ``None`` when another process holds it. Raises :class:`NoLocks`, and ``OSError`` when nothing can be written there.
    """
    while True:
        descriptor = _open(directory)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_ino == (directory / FILE).stat().st_ino:
                return descriptor
            os.close(descriptor)  # it was deleted in between: the lock of a file that nobody finds
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError as fault:
            os.close(descriptor)
            if fault.errno in _UNKNOWN:
                raise NoLocks(fault.errno, os.strerror(fault.errno)) from fault
            raise


def is_held(directory: Path) -> bool:
    """Whether some process, on whatever machine, holds the lock. Raises :class:`NoLocks` and ``OSError``."""
    with open_regular(directory / FILE) as stream:
        try:
            fcntl.flock(stream.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError as fault:
            if fault.errno in _UNKNOWN:
                raise NoLocks(fault.errno, os.strerror(fault.errno)) from fault
            raise
    return False


def inherited() -> int | None:
    """The descriptor that whoever started this process handed down; from now on no other program inherits it."""
    number = os.environ.pop(VARIABLE, "")
    if not number.isdecimal():
        return None
    descriptor = int(number)
    os.set_inheritable(descriptor, False)
    return descriptor


def _open(directory: Path) -> int:
    """The file, made if need be; a stranger's folder may hold a pipe there, or a link to a file that is not its own."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
    descriptor = os.open(directory / FILE, flags, PRIVATE)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "no regular file", str(directory / FILE))
    return descriptor
