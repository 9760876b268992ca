"""What every backend that tunes an embedding model shares: all stages but training."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from backends.measuring import measure
from backends.runs.events import Evaluated
from backends.runs.run import Run
from backends.stages import RetrievalStages, export_with, manner_of, nothing_to_measure, wanted_of
from data.prepared import load
from presets.tasks.embedding import EmbeddingPreset

if TYPE_CHECKING:
    from backends.evaluators.base import Measurement

When = Literal["before", "after"]


class RetrievalBackend(RetrievalStages[EmbeddingPreset]):
    """Prepares, measures, exports and reports; a subclass trains."""

    tasks = frozenset({"embedding"})

    @abstractmethod
    def train(self, run: Run, preset: EmbeddingPreset) -> None:
        """Train from :meth:`base`'s model and leave the tuned one (or its adapter) in :meth:`tuned`'s folder."""

    def baseline(self, run: Run, preset: EmbeddingPreset) -> None:
        """Measure the untouched model, unless the preset does without."""
        if preset.evaluation.baseline:
            self._measure(run, preset, self.base(run, preset), "before")

    def evaluate(self, run: Run, preset: EmbeddingPreset) -> None:
        """Measure the tuned model on the same queries."""
        self._measure(run, preset, self.tuned(run), "after")

    def export(self, run: Run, preset: EmbeddingPreset) -> None:
        """Write ``run.model``, check it, and take away what only training needed."""
        export_with("sentence_transformers", run, preset, self.tuned(run))

    def _measure(self, run: Run, preset: EmbeddingPreset, path: Path, when: When) -> None:
        from backends.evaluators.retrieval import Retrieval

        collection = load(run.data).evaluation
        if not collection.qrels:
            run.notice(nothing_to_measure())
            return
        stage = "baseline" if when == "before" else "evaluate"
        manner = manner_of(run, preset, stage)
        measured: Measurement = measure(path, collection, wanted_of(preset), preset, manner)
        Retrieval().save(measured, run.report / when)
        run.emit(Evaluated(when=when, metrics=measured.metrics, seconds=measured.seconds))
