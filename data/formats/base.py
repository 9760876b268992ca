"""What a data format is: the roles its columns play and how a record becomes an example.

Adding a format means adding one file here with one subclass of :class:`Format`; it is found by its file name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from data.cells import Cells
from data.examples import Document, Group, ScoredPair
from data.problems import Problem, Where, say, warning
from data.reading.streams import Report
from data.source import Row, Source
from data.table import Table

Shape = Literal["groups", "scored", "collection", "conversations"]
Mapped = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Role:
    """A part a column plays. ``many`` roles take several columns, or lists in a cell.

    ``names`` is the entry of :data:`data.column_names.NAMES` with the names it goes by, where that is not ``name``.
    """

    name: str
    required: bool = True
    many: bool = False
    names: str = ""

    @property
    def known_as(self) -> str:
        """The entry of :data:`data.column_names.NAMES` with the names of its columns."""
        return self.names or self.name


@dataclass(frozen=True)
class Detection:
    """How a source is understood: its format, role -> columns, 0-1 confidence, and what should be said about it.

    ``alternatives`` are names of formats that would fit too; ``scale`` is the lowest and highest score of the sample.
    """

    format: Format
    source: Source
    mapping: Mapped
    confidence: float
    problems: tuple[Problem, ...] = ()
    alternatives: tuple[str, ...] = ()
    scale: tuple[float, float] | None = None

    def column(self, role: str) -> str:
        """The (first) column of a role, or an empty string."""
        return next(iter(self.mapping.get(role, ())), "")


class Format(ABC):
    """A layout of records."""

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    tasks: ClassVar[frozenset[str]]
    shape: ClassVar[Shape]
    roles: ClassVar[tuple[Role, ...]]

    def fits(self, role: Role, column: str, table: Table) -> bool:
        """Whether the values of a column can play a role; formats narrow it."""
        kind = table.kind(column)
        return kind in ("empty", "text", "number", "texts") if role.many else kind in ("empty", "text", "number")

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """Whether the whole mapping makes this format; formats narrow it."""
        return True

    def takes(self, source: Source, table: Table) -> Detection | None:
        """A source that this format understands whatever its columns; None, as nearly always, otherwise."""
        return None

    def synonyms(self) -> Mapping[str, str]:
        """Other names under which the user may map a role."""
        return {}


class RetrievalFormat(Format):
    """Formats whose records become training examples for retrieval."""

    tasks: ClassVar[frozenset[str]] = frozenset({"embedding", "reranker"})

    @abstractmethod
    def examples(self, detection: Detection, rows: Iterable[Row], report: Report) -> Iterator[Group | ScoredPair]:
        """Records as training examples; rows that give none are reported and left out."""


class GroupFormat(RetrievalFormat):
    """Formats whose records are a query with its positives and negatives."""

    shape: ClassVar[Shape] = "groups"

    def examples(self, detection: Detection, rows: Iterable[Row], report: Report) -> Iterator[Group | ScoredPair]:
        """A :class:`Group` for each row that has a query and a positive."""
        for row in rows:
            group = self._group(detection, Cells(detection.source, row, report))
            if group is not None:
                yield group

    def _group(self, detection: Detection, cells: Cells) -> Group | None:
        query_column = detection.column("query")
        query = cells.text(query_column)
        if query is None:
            return None
        if not query:
            self._empty(cells, "empty-query", query_column)
            return None
        positives = cells.texts(detection.mapping["positive"])
        if not positives:
            self._empty(cells, "empty-positive", detection.column("positive"))
            return None
        negatives = cells.texts(detection.mapping.get("negative", ()))
        if detection.mapping.get("negative") and not negatives:
            told = say("The column {column} is empty; the row has no negative.", column=detection.column("negative"))
            cells.report(warning("empty-negative", told, _at(cells)))
        return Group(
            query=query,
            positives=tuple(positives),
            negatives=tuple(negatives),
            positive_scores=_scores(detection, cells, "positive_scores", len(positives)),
            negative_scores=_scores(detection, cells, "negative_scores", len(negatives)),
            query_id=_optional(detection, cells, "query_id"),
            positive_ids=_ids(detection, cells, len(positives)),
            instruction=_optional(detection, cells, "instruction"),
            line=cells.row.line,
        )

    @staticmethod
    def _empty(cells: Cells, code: str, column: str) -> None:
        told = say("The column {column} is empty; the row is left out.", column=column)
        cells.report(warning(code, told, _at(cells)))


def _at(cells: Cells) -> Where:
    return cells.source.at(cells.row.line)


def _optional(detection: Detection, cells: Cells, role: str) -> str:
    column = detection.column(role)
    return (cells.text(column) or "") if column else ""


def _ids(detection: Detection, cells: Cells, count: int) -> tuple[str, ...]:
    found = cells.texts(detection.mapping.get("document_id", ()))
    return tuple(found) if len(found) == count else ()


def _scores(detection: Detection, cells: Cells, role: str, count: int) -> tuple[float, ...]:
    column = detection.column(role)
    return cells.scores(column, count) if column else ()


class CollectionFormat(RetrievalFormat):
    """Formats that are a corpus with queries and judgments."""

    shape: ClassVar[Shape] = "collection"

    def examples(self, detection: Detection, rows: Iterable[Row], report: Report) -> Iterator[Group | ScoredPair]:
        """The judged queries of the source's split as groups; ``rows`` is not read."""
        from data.collections import groups_from_qrels

        return groups_from_qrels(detection, detection.source.split, report)

    @abstractmethod
    def detect(self, source: Source, mapping: Mapping[str, str]) -> Detection | None:
        """The source as this format, or None when it is another."""

    @abstractmethod
    def splits(self, detection: Detection) -> tuple[str, ...]:
        """Names of the splits that have judgments."""

    @abstractmethod
    def documents(self, detection: Detection, report: Report) -> Iterator[tuple[str, Document, Where]]:
        """(id, document, place) for each document, as a stream; ids may repeat."""

    @abstractmethod
    def queries(self, detection: Detection, report: Report) -> Iterator[tuple[str, str, Where]]:
        """(id, text, place) for each query, as a stream; ids may repeat."""

    @abstractmethod
    def judgments(self, detection: Detection, split: str, report: Report) -> Iterator[Judgment]:
        """Each judgment of a split that can be read, as a stream; ids are not checked."""


@dataclass(frozen=True)
class Judgment:
    """How relevant a document is to a query, and where that is written."""

    query: str
    document: str
    grade: int
    where: Where
