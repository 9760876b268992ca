"""The machine, as far as choices depend on it; found out once, in a worker thread."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from backends import sources
from backends.runs.find import runs_dir
from backends.runs.hardware import Gpu, gpus
from backends.sources import huggingface
from presets import families
from presets.sections.model import Model
from tui.wizard.timing import Pace, paces

#: GPUs by these names compute bf16 slowly or not at all (before Ampere).
_OLD: Final = ("V100", "T4", "P100", "P40", "P4", "K80", "GTX", "RTX 20", "TITAN", "Quadro")


@dataclass(frozen=True)
class Machine:
    """GPUs, memory and disk in bytes; ``cached`` holds the ids of models on this machine, ``paces`` what runs took."""

    gpus: tuple[Gpu, ...] = ()
    memory_free: int = 0
    disk_free: int = 0
    cached: frozenset[str] = frozenset()
    paces: tuple[Pace, ...] = ()

    @property
    def gpu(self) -> Gpu | None:
        """The GPU with the most free memory."""
        return max(self.gpus, key=lambda gpu: gpu.memory_free or 0, default=None)

    @property
    def free(self) -> int | None:
        """Bytes free on that GPU; ``None`` where there is none."""
        return self.gpu.memory_free if self.gpu else None

    @property
    def half(self) -> bool:
        """Whether precision auto means 16 bits here, by the GPU's name."""
        return self.gpu is not None and not any(name in self.gpu.name for name in _OLD)


def look(runs: Path | None = None) -> Machine:
    """This machine now, with what the runs in ``runs`` took. Takes tens of milliseconds; imports nothing heavy."""
    return Machine(
        gpus=gpus(),
        memory_free=psutil.virtual_memory().available,
        disk_free=shutil.disk_usage(_existing(huggingface.cache())).free,
        cached=frozenset(_cached()),
        paces=paces(runs_dir(runs)),
    )


def _cached() -> Iterator[str]:
    """Ids of the known models that are whole on this machine, whichever source brought them."""
    for known in families.known():
        if sources.where_cached(Model(id=known.size.id)):
            yield known.size.id


def _existing(path: Path) -> Path:
    """``path`` or the nearest folder above it that is there."""
    return next((folder for folder in (path, *path.parents) if folder.is_dir()), Path("/"))
