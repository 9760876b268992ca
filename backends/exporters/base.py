"""What an exporter is: something that writes a tuned model the way some software wants it."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from backends.runs.run import Run
from presets.retrieval import RetrievalPreset


class Exporter(ABC):
    """Writes one format. A new one is a new file in this package, named like its ``name``."""

    name: ClassVar[str]

    @abstractmethod
    def export(self, run: Run, preset: RetrievalPreset, tuned: Path, target: Path) -> list[Path]:
        """Write the model in ``tuned`` (all of it, or its adapter) into ``target``; the folders that can be loaded.

        What was written is loaded again and compared before this returns. Raises ``TunewizError`` if it differs.
        """


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """An empty folder that becomes ``target`` when the block ends well; until then what was there stays."""
    temporary = target.with_name(f".{target.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    yield temporary
    shutil.rmtree(target, ignore_errors=True)
    temporary.rename(target)
