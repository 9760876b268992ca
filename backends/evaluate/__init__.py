"""What a model is worth: evaluators measure it query by query, the verdict compares before and after.

An :class:`Evaluator` is found by its name; a module of this room defines it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from tunewiz.backends.evaluate.metrics import write_run
from tunewiz.data.rows.examples import Collection
from tunewiz.registry import Registry

if TYPE_CHECKING:
    from tunewiz.backends.evaluate.records import Measured

#: What is measured: a search encoder, a scorer of pairs ...
M = TypeVar("M")


@dataclass(frozen=True)
class Measurement:
    """What was measured of one model.

    ``metrics`` are means over the queries, ``per_query[query][metric]`` what they are means of. ``facts`` are further
    findings for the report, JSON values by name; ``rankings`` the best documents of each query with their scores.
    """

    metrics: Mapping[str, float]
    per_query: Mapping[str, Mapping[str, float]]
    rankings: Mapping[str, list[tuple[str, float]]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def record(self) -> Measured:
        """All but the rankings, as it is written."""
        from tunewiz.backends.evaluate.records import Measured

        return Measured(metrics=self.metrics, seconds=self.seconds, **self.facts, per_query=self.per_query)


@dataclass(frozen=True)
class MetricOptions:
    """What is to be measured: cut-offs, further metrics by name (the primary one), and the seed for samples.

    ``smaller``: whether smaller vectors are measured too; the lengths are those that training went for, if it did.
    """

    cutoffs: tuple[int, ...] = (1, 5, 10)
    also: tuple[str, ...] = ()
    seed: int = 42
    smaller: tuple[int, ...] | None = None


class Evaluator(ABC, Generic[M]):
    """Measures a model. A new one is a new file in this package, named like its ``name``."""

    name: ClassVar[str]

    @abstractmethod
    def measure(self, model: M, collection: Collection, wanted: MetricOptions) -> Measurement:
        """Measure ``model`` on ``collection``. Deterministic: same inputs and machine, same result."""

    def save(self, measurement: Measurement, stem: Path) -> list[Path]:
        """``<stem>.json`` (metrics, per query, facts) and ``<stem>.run.tsv`` (rankings in TREC's format), which lets
        others recompute the numbers; the files written.
        """
        record, run = stem.with_name(f"{stem.name}.json"), stem.with_name(f"{stem.name}.run.tsv")
        write_run(run, measurement.rankings, stem.name)
        measurement.record().write(record)  # last: its presence says that all of it is there
        return [record, run]


@cache
def catalogue() -> Mapping[str, type[Evaluator[Any]]]:
    """Every evaluator by name, in alphabetical order. Plug-ins: entry points of ``tunewiz.evaluators``."""
    return Registry("tunewiz.backends.evaluate", Evaluator, "evaluators").classes()
