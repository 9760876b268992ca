"""The backend of pipelines: a run of an embedding model inside the run of the reranker that puts its results in order.

Everything of the embedding model lies in ``embedding/`` of the run, laid out as any run; the run itself is the
reranker's. The first stage, prepare, goes through all stages of the embedding model.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from backends import catalogue
from backends.base import Backend
from backends.cross_encoder import CrossEncoder, readiness
from backends.runs.events import STAGES, Evaluated, Event, Noticed, Progress, Stage
from backends.runs.follow import read_state
from backends.runs.run import Run
from data.files import write_json, write_whole
from data.language import N_
from data.problems import Problem, Where, note, say
from presets.library import dumps
from presets.tasks.pipeline import PipelinePreset
from presets.tasks.reranker import RerankerPreset

#: Folder of the embedding model's run, below that of the run.
EMBEDDING = "embedding"


@dataclass(frozen=True)
class InnerRun(Run):
    """A run inside another: what it tells is told there too, and it stops when the other is asked to."""

    outer: Run

    @property
    def stop_file(self) -> Path:
        """The outer run's."""
        return self.outer.stop_file

    def emit(self, event: Event) -> None:
        """Tell of ``event`` here, and of what concerns the whole out there."""
        super().emit(event)
        if isinstance(event, Progress):
            self.outer.emit(replace(event, stage="prepare", values={}))
        elif isinstance(event, Noticed):
            self.outer.emit(event)
        elif isinstance(event, Evaluated) and event.when != "during":
            self.outer.emit(replace(event, what=EMBEDDING))


class Pipeline(Backend[PipelinePreset]):
    """Tunes an embedding model, then a reranker with negatives mined by it, and measures both together."""

    name = "pipeline"
    tasks = frozenset({"pipeline"})
    description: ClassVar[str] = N_("sentence-transformers: an embedding model, then a reranker over it.")

    def problems(self, preset: PipelinePreset) -> list[Problem]:
        """Of both parts; keys of the embedding model's preset stand behind ``embedding:``."""
        first = preset.first()
        found = catalogue.find(first.backend).problems(first)
        inner = [replace(problem, where=_within(problem.where)) for problem in found]
        outer = [
            problem for problem in readiness.problems(_reranker(preset)) if problem.where.key != "candidates.model"
        ]
        return [*outer, *inner]

    def native(self, preset: PipelinePreset) -> str:
        """Both configurations, one after the other."""
        first = preset.first()
        parts = {"embedding": catalogue.find(first.backend).native(first), "reranker": _native(preset)}
        return "\n".join(f"# {name}\n{text}" for name, text in parts.items())

    def prepare(self, run: Run, preset: PipelinePreset) -> None:
        """Tune and measure the embedding model; then prepare the reranker's data with it."""
        _tune_embedding(run, preset)
        CrossEncoder().prepare(run, _reranker(preset, run))

    def baseline(self, run: Run, preset: PipelinePreset) -> None:
        """Measure the tuned embedding model alone, and the untouched reranker over it."""
        CrossEncoder().baseline(run, _reranker(preset, run))

    def train(self, run: Run, preset: PipelinePreset) -> None:
        """Train the reranker."""
        CrossEncoder().train(run, _reranker(preset, run))

    def evaluate(self, run: Run, preset: PipelinePreset) -> None:
        """Measure the tuned reranker over the tuned embedding model."""
        CrossEncoder().evaluate(run, _reranker(preset, run))

    def export(self, run: Run, preset: PipelinePreset) -> None:
        """Write the reranker into ``run.model``; the embedding model is in ``embedding/model``."""
        CrossEncoder().export(run, _reranker(preset, run))

    def report(self, run: Run, preset: PipelinePreset) -> str:
        """One report over both."""
        return CrossEncoder().report(run, _reranker(preset, run))


def _within(where: Where) -> Where:
    return replace(where, key=f"embedding: {where.key}" if where.key else "embedding")


def _reranker(preset: PipelinePreset, run: Run | None = None) -> RerankerPreset:
    return preset.reranker(str(_inner(run).model) if run else "starter")


def _native(preset: PipelinePreset) -> str:
    return CrossEncoder().native(_reranker(preset))


def _inner(run: Run) -> InnerRun:
    return InnerRun(run.directory / EMBEDDING, run)


def _tune_embedding(run: Run, preset: PipelinePreset) -> None:
    """All stages of the embedding model that are not done yet."""
    inner, first = _inner(run), preset.first()
    if not inner.preset_file.is_file():
        inner.directory.mkdir(parents=True, exist_ok=True)
        write_json(inner.record_file, {"created": time.time(), "within": run.name})
        write_whole(inner.preset_file, dumps(first))
    backend, done = catalogue.find(first.backend), read_state(inner).done
    for name in STAGES:
        if name in done:
            continue
        inner.check_stop()
        run.notice(note("embedding-stage", say("The embedding model: {stage}.", stage=_STAGES[name])))
        begun = time.monotonic()
        inner.emit(Stage(name=name))
        getattr(backend, name)(inner, first)
        inner.emit(Stage(name=name, ended=True, seconds=time.monotonic() - begun))


_STAGES = {
    "prepare": say("prepare"),
    "baseline": say("measure before"),
    "train": say("train"),
    "evaluate": say("measure after"),
    "export": say("export"),
    "report": say("report"),
}
