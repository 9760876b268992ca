"""The backend of pipelines: a run of an embedding model inside the run of the reranker that puts its results in order.

Everything of the embedding model lies in ``embedding/`` of the run, laid out as any run; the run itself is the
reranker's. The first stage, prepare, goes through all stages of the embedding model.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from tunewiz.backends import engines, readiness
from tunewiz.backends.engines import Backend
from tunewiz.backends.models.run_models import EMBEDDING
from tunewiz.backends.runs.events import StageName
from tunewiz.backends.runs.run import Run
from tunewiz.backends.stages.inner_run import InnerRun
from tunewiz.language import N_
from tunewiz.presets.tasks.pipeline import PipelinePreset
from tunewiz.presets.tasks.reranker import RerankerPreset
from tunewiz.problems import Problem, Where, say

#: Sections in which a problem of one part is one of the other, word for word.
_SHARED = ("launch.", "tracking.")


class Pipeline(Backend[PipelinePreset]):
    """Tunes an embedding model, then a reranker with negatives mined by it, and measures both together."""

    name = "pipeline"
    strategies = frozenset({"ddp"})
    tasks = frozenset({"pipeline"})
    description: ClassVar[str] = N_("sentence-transformers: an embedding model, then a reranker over it.")

    def problems(self, preset: PipelinePreset) -> list[Problem]:
        """Of both parts, what they share once; keys of the embedding model's preset stand behind ``embedding:``."""
        first, reranker = preset.first(), _reranker(preset)
        engine = engines.find_engine(first.backend)
        packages = [*readiness.needed_packages(first), *engine.packages]
        outer = [
            problem for problem in readiness.problems(reranker, packages) if problem.where.key != "candidates.model"
        ]
        # The packages of both stand in one problem, and what the machine lacks for the one it lacks for the other.
        inner = [
            replace(problem, where=_within(problem.where))
            for problem in engine.problems(first)
            if problem.where.key != "backend" and not (problem.where.key.startswith(_SHARED) and problem in outer)
        ]
        return [*outer, *inner]

    def native(self, preset: PipelinePreset) -> str:
        """Both configurations, one after the other."""
        first = preset.first()
        parts = {"embedding": engines.find_engine(first.backend).native(first), "reranker": _native(preset)}
        return "\n".join(f"# {name}\n{text}" for name, text in parts.items())

    def prepare(self, run: Run, preset: PipelinePreset) -> None:
        """Tune and measure the embedding model; then prepare the reranker's data with it."""
        first = preset.first()
        _inner(run).go_through(engines.find_engine(first.backend), first, say("The embedding model"))
        _of("prepare", run, preset)

    def baseline(self, run: Run, preset: PipelinePreset) -> None:
        """Measure the tuned embedding model alone, and the untouched reranker over it."""
        _of("baseline", run, preset)

    def train(self, run: Run, preset: PipelinePreset) -> None:
        """Train the reranker."""
        _of("train", run, preset)

    def evaluate(self, run: Run, preset: PipelinePreset) -> None:
        """Measure the tuned reranker over the tuned embedding model."""
        _of("evaluate", run, preset)

    def export(self, run: Run, preset: PipelinePreset) -> None:
        """Write the reranker into ``run.model``; the embedding model is in ``embedding/model``."""
        _of("export", run, preset)

    def left(self, run: Run, preset: PipelinePreset, stage: StageName) -> Path | None:
        """As the reranker's own engine."""
        reranker = _reranker(preset, run)
        return engines.find_engine(reranker.backend).left(run, reranker, stage)

    def tidy(self, run: Run, preset: PipelinePreset) -> None:
        """As the reranker's own engine; the embedding model's run did so at its end."""
        _of("tidy", run, preset)

    def report(self, run: Run, preset: PipelinePreset) -> str:
        """One report over both."""
        return str(_of("report", run, preset))


def _within(where: Where) -> Where:
    return replace(where, key=f"embedding: {where.key}" if where.key else "embedding")


def _reranker(preset: PipelinePreset, run: Run | None = None) -> RerankerPreset:
    return preset.reranker(str(_inner(run).model) if run else "starter")


def _native(preset: PipelinePreset) -> str:
    reranker = _reranker(preset)
    return engines.find_engine(reranker.backend).native(reranker)


def _of(stage: str, run: Run, preset: PipelinePreset) -> object:
    """A stage of the reranker's own engine."""
    reranker = _reranker(preset, run)
    return getattr(engines.find_engine(reranker.backend), stage)(run, reranker)


def _inner(run: Run) -> InnerRun:
    return InnerRun(run.directory / EMBEDDING, run, "prepare", EMBEDDING)
