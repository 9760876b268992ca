"""What keeps a preset from training a reranker on this machine: packages, models, negatives, memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from backends import sources
from backends.candidates import named
from backends.sentence_transformers import readiness
from data.problems import Problem, Where
from presets.tasks.reranker import RerankerPreset


def problems(preset: RerankerPreset, packages: Sequence[str] = ()) -> list[Problem]:
    """Everything found, without importing any of the packages; hubs are asked only about models that are not here.

    ``packages`` are modules that a backend needs besides.
    """
    # The first stage, and watching a training, search by words.
    return [*readiness.problems(preset, ("bm25s", "jieba", *packages)), *_embedder(preset)]


def _embedder(preset: RerankerPreset) -> Iterator[Problem]:
    if "dense" not in (preset.candidates.strategy, preset.data.negatives.strategy):
        return
    for problem in sources.problems(named(preset.candidates.model)):
        where = Where(key="candidates.model")
        yield Problem(problem.severity, problem.code, problem.message, where, problem.fix)
