"""``report/metrics.json``: everything a report says in numbers, for programs; one schema for all tasks.

The reports write it; the result screen, the listings, ``tunewiz report --json``, ``tunewiz compare`` and comparisons
read it. Keys are never translated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

from pydantic import Field, model_validator

from tunewiz.backends.evaluate.records import Compared, Cosines, Count, Measured, Metrics, Record
from tunewiz.backends.evaluate.verdict import Verdict
from tunewiz.data.retrieval.prepared import CorpusKind
from tunewiz.problems import Message

VERSION: Final = 1
NAME: Final = "metrics.json"
#: Beside it in the report of a sweep: the preset of the best run.
BEST: Final = "best.yaml"


class MetricsFile(Record):
    """The numbers of a run. All of it has defaults, so that an empty one stands for a file that is not there."""

    version: int = VERSION
    run: str = ""
    base_model: str = ""
    primary: str = Field("", description="The measure that decides.")
    verdict: Verdict | None = None
    comparison: Compared | None = Field(None, description="The primary measure before and after.")
    sentence: str = Field("", description="That comparison in words, in the language of the run.")
    before: Metrics | None = Field(None, description="Means by measure; null where it was not measured.")
    after: Metrics | None = None
    difference: Metrics = {}
    interval: Mapping[str, tuple[float, float]] = {}
    metrics: Mapping[str, Compared] = Field({}, description="Every measure that was taken before and after.")
    queries: Count | None = None
    counts: Mapping[str, Count] = Field({}, description="Rows, queries, documents ... as they were prepared.")
    seconds: Mapping[str, float | None] = Field({}, description="By system: how long measuring took.")
    memory: Metrics = Field(
        {},
        description="Bytes: training, the most it took; peak of the longest batch, where it was tried before training, "
        "with low, expected and high as estimated.",
    )
    per_query: Mapping[str, str] = Field({}, description="By system: the file with the numbers of each query or row.")
    general: Mapping[str, Compared] = Field(
        {}, description="Measures of general data before and after: whether the model forgot."
    )
    next: tuple[str, ...] = Field((), description="What to try next, in the language of the run.")
    # Of a retrieval model.
    corpus: CorpusKind = Field("none", description="Whether the documents were given, or built from the data.")
    compared_with: str = Field("", description="The system that stands for before: the better of those untrained.")
    systems: Mapping[str, Measured] = Field({}, description="A search in two stages: every system, without its rows.")
    reranking: Compared | None = Field(None, description="The tuned reranker against the search alone.")
    ways: Mapping[str, Metrics] = Field({}, description="By way to search, the tuned model's measures: dense, bm25 ...")
    best_way: str = Field("dense", description="The way that is surely better than by dense vectors, if one is.")
    cosines: Mapping[str, Cosines | None] = {}
    documents: Count | None = None
    rankings: Mapping[str, str] = Field({}, description="By system: the file with its rankings, in TREC's format.")
    # Of a language model.
    confusion: Mapping[str, Mapping[str, Mapping[str, Count]] | None] = {}
    template: str = ""
    # Of a comparison: each variant's own file, and which measured best.
    variants: Mapping[str, MetricsFile] = {}
    best: str = ""
    # Of a sweep, by variant: its values as typed, and what it measured on the data that the best was chosen by.
    points: Mapping[str, str] = {}
    chosen_by: str = Field("", description="The measure by which the best variant was chosen.")
    chosen_on: str = Field("", description="The data of that measure: validation, or held-out where there was none.")
    chosen_values: Metrics = {}

    @model_validator(mode="before")
    @classmethod
    def _of_this_version(cls, found: Any) -> Any:
        if isinstance(found, Mapping) and found.get("version", VERSION) != VERSION:
            raise ValueError("of another version")
        return found

    @classmethod
    def of(cls, report: Path) -> Self:
        """The file in the folder ``report``; empty where there is none, or none that can be read."""
        return cls.read(report / NAME) or cls()

    @property
    def deciding(self) -> MetricsFile:
        """The numbers that the verdict goes by: of a comparison the best variant's, else these."""
        return self.variants.get(self.best, self)

    def advising(self, steps: Sequence[Message]) -> Self:
        """It with ``steps`` as what to try next, in the current language."""
        return self.model_copy(update={"next": tuple(step.text() for step in steps)})
