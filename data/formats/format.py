"""What a data format is: the roles its columns play and how a record becomes an example; all formats by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import ClassVar, Final, Literal

from tunewiz.data.reading.cells import Table, parse_nested
from tunewiz.data.reading.records import read
from tunewiz.data.reading.source import Row, Source
from tunewiz.data.rows.examples import Group, ScoredPair
from tunewiz.problems import Problem, Report
from tunewiz.registry import Registry

Shape = Literal["groups", "scored", "collection", "conversations"]
Mapped = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Role:
    """A part a column plays. ``many`` roles take several columns, or lists in a cell.

    ``names`` is the entry of :data:`tunewiz.data.reading.names.NAMES` with the names it goes by, where that is not
    ``name``.
    """

    name: str
    required: bool = True
    many: bool = False
    names: str = ""

    @property
    def known_as(self) -> str:
        """The entry of :data:`tunewiz.data.reading.names.NAMES` with the names of its columns."""
        return self.names or self.name


@dataclass(frozen=True)
class Detection:
    """How a source is understood: its format, role -> columns, 0-1 confidence, and what should be said about it.

    ``first`` is the number of the first of several choices, where numbers name the right one.
    ``alternatives`` are names of formats that would fit too; ``scale`` is the lowest and highest score of the sample,
    ``labels`` what its words are worth, ``marks`` by column what stands between several texts in a cell.
    """

    format: Format
    source: Source
    mapping: Mapped
    confidence: float
    problems: tuple[Problem, ...] = ()
    alternatives: tuple[str, ...] = ()
    scale: tuple[float, float] | None = None
    labels: Mapping[str, float] = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)
    first: int | None = None

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
    #: Whether several texts that stand in one cell are taken apart.
    cuts: ClassVar[bool] = True

    def fits(self, role: Role, column: str, table: Table) -> bool:
        """Whether the values of a column can play a role; formats narrow it."""
        kind = table.kind(column)
        return kind in ("empty", "text", "number", "texts") if role.many else kind in ("empty", "text", "number")

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """Whether the whole mapping makes this format; formats narrow it."""
        return True

    def assumed(self, mapping: Mapped, table: Table) -> bool:
        """Whether this format may be taken where the user named neither it nor a column; formats narrow it."""
        return True

    def settled(self, mapping: Mapped, table: Table) -> Mapped:
        """A mapping found by names, with what only the format knows of it put right."""
        return mapping

    def takes(self, source: Source, table: Table) -> Detection | None:
        """A source that this format understands whatever its columns; None, as nearly always, otherwise."""
        return None

    def plain(self, source: Source) -> Detection | None:
        """A source without a table of rows as this format; None when it is another."""
        return None

    def rows(self, detection: Detection, report: Report) -> Iterator[Row]:
        """The records of the source."""
        return read(detection.source, report)

    def synonyms(self) -> Mapping[str, str]:
        """Other names under which the user may map a role."""
        return {}


class RetrievalFormat(Format):
    """Formats whose records become training examples for retrieval."""

    tasks: ClassVar[frozenset[str]] = frozenset({"embedding", "reranker"})

    def fits(self, role: Role, column: str, table: Table) -> bool:
        """What lies in objects of a list is the parts of one text where one is asked for."""
        inside = column not in table.source.columns and "[" in column and role.name == "query"
        if super().fits(role, column, table) or (inside and table.kind(column) == "texts"):
            return True
        plain = role.name == "query" and "[" not in column
        held = [parse_nested(value) for value in table.values(column)] if plain else []
        return bool(held) and all(
            isinstance(value, list) and len(value) == 1 and isinstance(value[0], str) for value in held
        )

    @abstractmethod
    def examples(self, detection: Detection, rows: Iterable[Row], report: Report) -> Iterator[Group | ScoredPair]:
        """Records as training examples; rows that give none are reported and left out."""


#: Every format: those in this room, and those of plug-ins (entry points of ``tunewiz.formats``).
FORMATS: Final = Registry("tunewiz.data.formats", Format, "formats")


@cache
def _all() -> Mapping[str, Format]:
    return {name: kind() for name, kind in FORMATS.classes().items()}


def takes_conversations(task: str | None) -> bool:
    """Whether rows of ``task`` are conversations; without a task they are rows for retrieval."""
    return task is not None and any(item.shape == "conversations" for item in formats(task).values())


def formats(task: str | None = None) -> dict[str, Format]:
    """Every format by name, or those of one task."""
    return {name: item for name, item in _all().items() if task is None or task in item.tasks}
