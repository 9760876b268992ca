"""The backend of comparisons: a run for each way of finding negatives inside one run, and one page over them.

The runs lie in ``variants/<strategy>/``, laid out as any run. The best one's model becomes the run's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from tunewiz.backends.engines import Backend, find_engine
from tunewiz.backends.models.run_models import VARIANTS
from tunewiz.backends.reports.metrics_file import MetricsFile
from tunewiz.backends.runs.events import Evaluated, Saved
from tunewiz.backends.runs.run import Run
from tunewiz.backends.stages.inner_run import InnerRun, adopt_model
from tunewiz.language import N_
from tunewiz.presets.tasks.comparison import ComparisonPreset
from tunewiz.problems import Problem, Where, say


class Comparison(Backend[ComparisonPreset]):
    """Tunes one reranker with each strategy and puts them side by side."""

    name = "comparison"
    tasks = frozenset({"comparison"})
    description: ClassVar[str] = N_("sentence-transformers: one reranker with each way of finding negatives.")

    def problems(self, preset: ComparisonPreset) -> list[Problem]:
        """Of each variant, told once."""
        found: dict[tuple[str, Where, str], Problem] = {}
        for strategy in preset.strategies:
            variant = preset.variant(strategy)
            for problem in find_engine(variant.backend).problems(variant):
                where, own = problem.where, ""
                if where.key == "data.negatives.strategy":
                    where, own = replace(where, key="strategies"), strategy
                found.setdefault((problem.code, where, own), replace(problem, where=where))
        return list(found.values())

    def native(self, preset: ComparisonPreset) -> str:
        """What all variants have in common."""
        variant = preset.variant(preset.strategies[0])
        return find_engine(variant.backend).native(variant)

    def prepare(self, run: Run, preset: ComparisonPreset) -> None:
        """Nothing: each variant prepares its own data, the same rows with other negatives."""

    def baseline(self, run: Run, preset: ComparisonPreset) -> None:
        """Nothing: each variant is measured before and after."""

    def train(self, run: Run, preset: ComparisonPreset) -> None:
        """Go through all stages of every variant."""
        for strategy in preset.strategies:
            inner = _inner(run, strategy)
            title = say("Negatives by {strategy}", strategy=strategy)
            variant = preset.variant(strategy)
            inner.go_through(find_engine(variant.backend), variant, title)

    def evaluate(self, run: Run, preset: ComparisonPreset) -> None:
        """Tell of the best variant."""
        told = _told(run, best(run, preset))
        if told.before:
            run.emit(Evaluated(when="before", metrics=told.before))
        if told.after:
            run.emit(Evaluated(when="after", metrics=told.after))

    def export(self, run: Run, preset: ComparisonPreset) -> None:
        """The best variant's model as the run's."""
        adopt_model(run, _inner(run, best(run, preset)).model)

    def report(self, run: Run, preset: ComparisonPreset) -> str:
        """Write the page; the verdict is the best variant's."""
        from tunewiz.backends.reports.sweep_report import write_comparison

        inner = {strategy: _inner(run, strategy) for strategy in preset.strategies}
        verdict = write_comparison(run, preset, inner, best(run, preset))
        run.emit(Saved(what="report", path=run.relative(run.report / "report.md")))
        return verdict


def best(run: Run, preset: ComparisonPreset) -> str:
    """The strategy whose reranker measured highest on the primary metric; the first where none was measured."""

    def value(strategy: str) -> float:
        told = _told(run, strategy)
        return (told.after or {}).get(told.primary, 0.0)

    return max(preset.strategies, key=value)


def _inner(run: Run, strategy: str) -> InnerRun:
    return InnerRun(run.directory / VARIANTS / strategy, run, "train", strategy)


def _told(run: Run, strategy: str) -> MetricsFile:
    return MetricsFile.of(_inner(run, strategy).report)
