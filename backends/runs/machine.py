"""Looking at the machine while a run goes on: GPUs, host memory, disk and the child's own memory."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from backends.runs.hardware import Gpu, gpus
from backends.runs.process import process
from backends.runs.run import Run


@dataclass(frozen=True)
class Sample:
    """The machine at one moment. Memory and disk in bytes, ``None`` where unknown; ``load`` in per cent of all cores.

    ``child_memory`` is resident memory of the run's process and its own children.
    """

    time: float
    gpus: tuple[Gpu, ...] = ()
    host_total: int = 0
    host_used: int = 0
    load: float = 0.0
    disk_total: int | None = None
    disk_free: int | None = None
    child_memory: int | None = None

    @property
    def host_free(self) -> int:
        """Bytes of host memory that can still be had."""
        return self.host_total - self.host_used


class Sampler:
    """Takes a :class:`Sample` of the machine that holds ``folder``; for a run, of its child too.

    NVML stays initialised between :meth:`take` and :meth:`close`: starting it costs up to seconds on some drivers.
    A driver that goes away meanwhile leaves its fields ``None``.
    """

    def __init__(self, folder: Path, run: Run | None = None) -> None:
        self._folder = folder
        self._run = run
        self._held = False

    def take(self) -> Sample:
        """The machine now."""
        self._hold()
        memory = psutil.virtual_memory()
        disk = _disk(self._folder)
        return Sample(
            time=time.time(),
            gpus=gpus(),
            host_total=memory.total,
            host_used=memory.total - memory.available,
            load=psutil.cpu_percent(),
            disk_total=disk[0] if disk else None,
            disk_free=disk[1] if disk else None,
            child_memory=_resident(self._run) if self._run else None,
        )

    def close(self) -> None:
        """Let NVML go."""
        if self._held:
            import pynvml

            self._held = False
            _quietly(pynvml.nvmlShutdown)

    def _hold(self) -> None:
        if not self._held:
            import pynvml

            self._held = _quietly(pynvml.nvmlInit)


def _quietly(call: Callable[[], object]) -> bool:
    """Whether an NVML call went well."""
    import pynvml

    try:
        call()
    except pynvml.NVMLError:
        return False
    return True


def _disk(folder: Path) -> tuple[int, int] | None:
    """Total and free bytes of the disk that ``folder``, or the nearest parent that exists, is on."""
    for place in (folder, *folder.parents):
        try:
            usage = shutil.disk_usage(place)
        except OSError:
            continue
        return usage.total, usage.free
    return None


def _resident(run: Run) -> int | None:
    """Resident bytes of the child of ``run`` and of its own children; ``None`` when it is gone."""
    child = process(run)
    if child is None:
        return None
    try:
        family = [child, *child.children(recursive=True)]
    except psutil.Error:
        family = [child]
    return sum(_resident_bytes(family))


def _resident_bytes(family: Iterable[psutil.Process]) -> Iterable[int]:
    for member in family:
        try:
            yield member.memory_info().rss
        except psutil.Error:
            continue
