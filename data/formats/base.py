"""What a data format is: the roles its columns play and how a record becomes an example.

Adding a format means adding one file here with one subclass of :class:`Format`; it is found by its file name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from data.examples import Group, ScoredPair
from data.problems import Problem
from data.reading import Report
from data.source import Row, Source

Shape = Literal["groups", "scored", "collection", "conversations"]
Mapped = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Role:
    """A part a column plays. ``many`` roles take several columns, or lists in a cell."""

    name: str
    required: bool = True
    many: bool = False


@dataclass(frozen=True)
class Detection:
    """How a source is understood: its format, role -> columns, 0-1 confidence, and what should be said about it."""

    format: Format
    source: Source
    mapping: Mapped
    confidence: float
    problems: tuple[Problem, ...] = ()
    alternatives: tuple[str, ...] = ()


class Format(ABC):
    """A layout of records."""

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    tasks: ClassVar[frozenset[str]]
    shape: ClassVar[Shape]
    roles: ClassVar[tuple[Role, ...]]

    @abstractmethod
    def examples(self, detection: Detection, rows: Iterable[Row], report: Report) -> Iterator[Group | ScoredPair]:
        """Records as training examples; rows that give none are reported and left out."""
