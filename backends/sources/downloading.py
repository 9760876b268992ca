"""A download: room for it checked first, bytes counted while it goes."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from backends.sources.base import Located, ModelUnavailable, Progress
from data.problems import Where, error, say

GB: Final = 1e9
_RESERVE: Final = 500_000_000


def check_room(located: Located, folder: Path) -> None:
    """Raise :class:`ModelUnavailable` if the disk of ``folder`` (which need not exist) is too small for the model."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if located.size is not None and free < located.size + _RESERVE:
        sizes = {"needed": f"{located.size / GB:.1f}", "free": f"{free / GB:.1f}", "folder": str(folder)}
        told = say("The model takes {needed} GB and {folder} has {free} GB left.", **sizes)
        fix = say("Free some space, or set HF_HOME (ModelScope: MODELSCOPE_CACHE) to a folder on a larger disk.")
        raise ModelUnavailable(error("disk-full", told, Where("model.id"), fix))


@contextmanager
def counted(folder: Path, total: int | None, progress: Progress) -> Iterator[None]:
    """Tell ``progress`` of the bytes that ``folder`` grows by, until the block ends."""
    before, done = _bytes_in(folder), threading.Event()

    def count() -> None:
        while not done.wait(0.5):
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
