"""Everything a report or a model card says about a run, gathered from its directory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, TypeVar

from tunewiz.backends.evaluate.general import compared_general
from tunewiz.backends.evaluate.metrics import canonical
from tunewiz.backends.evaluate.records import FLOOR, Measured
from tunewiz.backends.evaluate.verdict import LOWER_IS_BETTER, QUERIES, ROWS, Comparison, Verdict, compare_all
from tunewiz.backends.models.run_models import EMBEDDING
from tunewiz.backends.reports.metrics_file import VERSION, MetricsFile
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.run import Run
from tunewiz.data.blending import SourceCounts, line
from tunewiz.data.folders.hub_ids import on_hub
from tunewiz.files import read_json
from tunewiz.presets.families import lookup
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.problems import Message

P = TypeVar("P", RetrievalPreset, LlmPreset)


@dataclass(frozen=True)
class RunFacts(ABC, Generic[P]):
    """A run's preset, its record (``run.json``), and what was measured before and after (``None`` where it was not)."""

    #: What it was measured on, in the plural.
    measured_on: ClassVar[Message] = QUERIES

    run: Run
    preset: P
    record: Mapping[str, Any] = field(default_factory=dict)
    before: Measured | None = None
    after: Measured | None = None

    @property
    @abstractmethod
    def primary(self) -> str:
        """The name of the metric that decides."""

    @cached_property
    @abstractmethod
    def comparisons(self) -> Mapping[str, Comparison]:
        """Each metric measured both before and after."""

    @property
    def comparison(self) -> Comparison | None:
        """The primary metric before and after."""
        return self.comparisons.get(self.primary)

    @cached_property
    def general(self) -> Mapping[str, Comparison]:
        """Each measure of general data before and after; of a pipeline the embedding model's too, with its name."""
        how = self.preset.evaluation.bootstrap, self.preset.training.seed
        first = compared_general(self.run.directory / EMBEDDING / "report", *how)
        return {f"{EMBEDDING} {name}": one for name, one in first.items()} | compared_general(self.run.report, *how)

    @property
    def sides(self) -> Mapping[str, Measured]:
        """What was measured, of ``before`` and ``after``."""
        return {name: side for name, side in (("before", self.before), ("after", self.after)) if side}

    @property
    def verdict(self) -> Verdict:
        """One word."""
        return self.comparison.verdict if self.comparison else "NONE"

    @property
    def base_model(self) -> str:
        """The model tuned, by its hub id or the name of its folder, never by a path of this machine."""
        return model_name(self.preset.model.id)

    @property
    def licence(self) -> str:
        """The base model's licence, "" if unknown."""
        known = lookup(self.preset.model.id)
        recorded = self.record.get("model", {}).get("licence", "")
        return str(recorded) or (known.family.licence if known else "")

    @property
    def data_name(self) -> str:
        """The training data by the last parts of its path; of several datasets each."""
        return " + ".join(name_of(dataset.path) for dataset in self.preset.data.datasets)

    @property
    def sources(self) -> list[Message]:
        """What became of each of several datasets."""
        found = self.record.get("sources")
        counts = [SourceCounts(**one) for one in found] if isinstance(found, list) else []
        return [line(one, name_of(one.name)) for one in counts]

    @property
    def counts(self) -> Mapping[str, int]:
        """Rows, queries, documents and so on, as they were prepared."""
        counts: Mapping[str, int] = self.record.get("counts", {})
        return counts

    def metrics(self, **more: Any) -> MetricsFile:
        """What ``metrics.json`` says of every task, and ``more`` keys of this one."""
        compared, known = self.comparisons, self.after or self.before
        return MetricsFile(
            version=VERSION,
            run=self.run.name,
            base_model=self.base_model,
            primary=self.primary,
            verdict=self.verdict,
            comparison=self.comparison,
            sentence=self.comparison.sentence(self.measured_on).text() if self.comparison else "",
            before=self.before.metrics if self.before else None,
            after=self.after.metrics if self.after else None,
            difference={name: item.difference for name, item in compared.items()},
            interval={name: (item.low, item.high) for name, item in compared.items()},
            metrics=compared,
            general=self.general,
            queries=known.queries if known else None,
            counts=self.counts,
            memory=_memory(self.run),
            **more,
        )


@dataclass(frozen=True)
class Facts(RunFacts[RetrievalPreset]):
    """Of a retrieval model's run."""

    #: Which file ``before`` is: before, or search where search alone was the better one.
    before_name: str = "before"
    #: With a reranker: every system measured, by the name of its file; ``before`` is the better of the first two.
    systems: Mapping[str, Measured] = field(default_factory=dict)

    @property
    def primary(self) -> str:
        """The name of the metric that decides."""
        return canonical(self.preset.evaluation.metric)

    @cached_property
    def comparisons(self) -> Mapping[str, Comparison]:
        """Each metric measured both before and after."""
        if not self.before or not self.after:
            return {}
        names = [name for name in self.after.metrics if name in self.before.metrics]
        options = self.preset.evaluation
        return compare_all(
            self.before.per_query, self.after.per_query, names, options.bootstrap, self.preset.training.seed
        )


def _memory(run: Run) -> dict[str, float]:
    """The probe's numbers, and the most that training took by its own account."""
    state = read_state(run)
    most = state.values.get("memory_peak")
    return {**state.probe, **({"training": most} if most else {})}


def model_name(chosen: str) -> str:
    """A model's hub id, or the name of its folder, never a path of this machine."""
    known = lookup(chosen)
    if known is not None:
        return known.size.id
    path = Path(chosen)
    return path.name if path.is_absolute() or chosen.startswith((".", "~")) else chosen


def name_of(place: str) -> str:
    """A path without what is private of it: its last two parts for a folder called ``beir``, else its last."""
    if place.startswith("sample:") or on_hub(place):
        return place
    parts = Path(place).parts
    return "/".join(parts[-2:]) if parts and parts[-1] in ("beir", "data") else parts[-1] if parts else place


#: Everything that is measured of a search in two stages, in the order in which a report shows it.
SYSTEMS: Final = ("untuned", "search", "before", "after")


def file_of(system: str) -> str:
    """Where the numbers of a system lie, without ending, seen from the run's report.

    ``untuned`` is a pipeline's embedding model before it was tuned.
    """
    return "../embedding/report/before" if system == "untuned" else system


def gather(run: Run, preset: RetrievalPreset) -> Facts:
    """The facts of ``run``.

    A reranker is compared with the best there was without training: search alone, or the untouched reranker.
    """
    found = {name: Measured.read(run.report / f"{file_of(name)}.json") for name in SYSTEMS}
    known = {name: record for name, record in found.items() if record}
    primary = canonical(preset.evaluation.metric)
    earlier = [name for name in ("search", "before") if name in known]
    best = max(earlier, key=lambda name: known[name].metrics.get(primary, 0.0), default="before")
    return Facts(
        run=run,
        preset=preset,
        record=read_json(run.record_file) or {},
        before=known.get(best),
        after=known.get("after"),
        before_name=best,
        systems=known if "search" in known else {},
    )


# Everything a report or a model card says about a language model's run.


#: Measures that decide, by rank: what was measured first of these is the primary one.
PRIMARY: Final = ("accuracy", "preference_accuracy", "kto_margin", "loss")


@dataclass(frozen=True)
class LlmFacts(RunFacts[LlmPreset]):
    """Of a language model's run."""

    measured_on = ROWS

    floor: Measured | None = None

    @property
    def primary(self) -> str:
        """The name of the metric that decides."""
        known = self.after or self.before
        return next((name for name in PRIMARY if known and name in known.metrics), "loss")

    @cached_property
    def comparisons(self) -> Mapping[str, Comparison]:
        """Each measure of rows taken before and after, paired by row."""
        if not self.before or not self.after:
            return {}
        before, after = self.before.per_query, self.after.per_query
        names = dict.fromkeys(name for row in after.values() for name in row)
        found: dict[str, Comparison] = {}
        for name in names:
            one, other = ({row: told for row, told in side.items() if name in told} for side in (before, after))
            found |= compare_all(
                one, other, [name], self.preset.evaluation.bootstrap, self.preset.training.seed, LOWER_IS_BETTER
            )
        return found

    @property
    def template(self) -> str:
        """The chat template of the run."""
        return str(self.record.get("llm", {}).get("template", self.preset.template))


def gather_language_model(run: Run, preset: LlmPreset) -> LlmFacts:
    """The facts of ``run``."""
    return LlmFacts(
        run=run,
        preset=preset,
        record=read_json(run.record_file) or {},
        before=Measured.read(run.report / "before.json"),
        after=Measured.read(run.report / "after.json"),
        floor=Measured.read(run.report / FLOOR) if preset.evaluation.floor else None,
    )
