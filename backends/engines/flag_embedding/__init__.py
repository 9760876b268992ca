"""The backend on FlagEmbedding: BGE's own training code, for embedding models and for rerankers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

from tunewiz.backends.engines import Backend
from tunewiz.backends.engines.flag_embedding.by_task import PACKAGES, FlagEmbedder, FlagReranker
from tunewiz.backends.runs.events import StageName
from tunewiz.backends.runs.run import Run
from tunewiz.language import N_
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.problems import Problem

_BY_TASK: Final[Mapping[str, Backend[Any]]] = {"embedding": FlagEmbedder(), "reranker": FlagReranker()}


class FlagEmbedding(Backend[RetrievalPreset]):
    """Hands a preset to the backend of its task."""

    name = "flag_embedding"
    tasks = frozenset(_BY_TASK)
    packages = PACKAGES
    strategies = frozenset({"ddp"})
    description: ClassVar[str] = N_(
        "FlagEmbedding, the code BGE models were made with: groups of negatives, a teacher's scores, BGE-M3 as a whole."
    )

    def problems(self, preset: RetrievalPreset) -> list[Problem]:
        """As the task's."""
        return _BY_TASK[preset.task].problems(preset)

    def native(self, preset: RetrievalPreset) -> str:
        """As the task's."""
        return _BY_TASK[preset.task].native(preset)

    def prepare(self, run: Run, preset: RetrievalPreset) -> None:
        """As the task's."""
        _BY_TASK[preset.task].prepare(run, preset)

    def baseline(self, run: Run, preset: RetrievalPreset) -> None:
        """As the task's."""
        _BY_TASK[preset.task].baseline(run, preset)

    def train(self, run: Run, preset: RetrievalPreset) -> None:
        """As the task's."""
        _BY_TASK[preset.task].train(run, preset)

    def evaluate(self, run: Run, preset: RetrievalPreset) -> None:
        """As the task's."""
        _BY_TASK[preset.task].evaluate(run, preset)

    def export(self, run: Run, preset: RetrievalPreset) -> None:
        """As the task's."""
        _BY_TASK[preset.task].export(run, preset)

    def left(self, run: Run, preset: RetrievalPreset, stage: StageName) -> Path | None:
        """As the task's."""
        return _BY_TASK[preset.task].left(run, preset, stage)

    def tidy(self, run: Run, preset: RetrievalPreset) -> None:
        """As the task's."""
        _BY_TASK[preset.task].tidy(run, preset)

    def report(self, run: Run, preset: RetrievalPreset) -> str:
        """As the task's."""
        return _BY_TASK[preset.task].report(run, preset)
