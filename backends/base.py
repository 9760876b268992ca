"""What a backend is: something that checks a preset and takes it through the stages of a run.

One file (or folder) in this package a backend; it is found by its file name. Nothing heavy may be imported when
the file is imported: ``problems`` and ``native`` run in the user's shell, the stages in the child.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from backends.runs.run import Run
from data.problems import Problem
from presets.preset import Preset

if TYPE_CHECKING:
    from backends.reading import Reading

P = TypeVar("P", bound=Preset)


class Backend(ABC, Generic[P]):
    """Trains presets of its tasks. Every stage reads and writes the run's directory and nothing else."""

    name: ClassVar[str]
    tasks: ClassVar[frozenset[str]]

    @abstractmethod
    def problems(self, preset: P) -> list[Problem]:
        """What keeps ``preset`` from running here: packages, models, memory. Imports nothing heavy."""

    @abstractmethod
    def native(self, preset: P) -> str:
        """The configuration, in the library's own terms, that ``preset`` stands for (YAML text)."""

    def reading(self, preset: P, count: int) -> Reading | None:
        """``count`` training rows as the model reads them, and the length of all; ``None`` where that says nothing.

        Slow and heavy: for a child process. Raises ``BadData`` and ``BadPreset``.
        """
        return None

    @abstractmethod
    def prepare(self, run: Run, preset: P) -> None:
        """Read, clean, split, mine; write ``run.data``. Raises ``BadData``."""

    @abstractmethod
    def baseline(self, run: Run, preset: P) -> None:
        """Measure the untouched model; write ``run.report / "before.json"``."""

    @abstractmethod
    def train(self, run: Run, preset: P) -> None:
        """Train into ``run.checkpoints``, from the newest checkpoint there if there is one."""

    @abstractmethod
    def evaluate(self, run: Run, preset: P) -> None:
        """Measure the tuned model the same way; write ``run.report / "after.json"``."""

    @abstractmethod
    def export(self, run: Run, preset: P) -> None:
        """Write ``run.model``."""

    @abstractmethod
    def report(self, run: Run, preset: P) -> str:
        """Write ``run.report``; the verdict: WIN, MARGINAL, REGRESSION or NONE."""
