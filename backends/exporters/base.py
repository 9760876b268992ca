"""What an exporter is: something that writes a tuned model the way some software wants it."""

from __future__ import annotations

from abc import ABC, abstractmethod
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
