"""Hard negatives: what a strategy for them is (a search over the passages, and scores for the margin).

A :class:`Strategy` is found by its name; a module of this room defines it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from tunewiz.problems import Problem, Where, error, say
from tunewiz.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Integers = npt.NDArray[np.int64]


class Encoder(Protocol):
    """The model that is to be trained, the way it is used for search: instructions, pooling, precision."""

    def queries(self, texts: Sequence[str]) -> Floats:
        """Vectors of length 1, float32, shape (texts, dimension)."""

    def passages(self, texts: Sequence[str]) -> Floats:
        """Vectors of length 1, float32, shape (texts, dimension)."""

    def identity(self) -> str:
        """What the vectors depend on (weights, instructions, lengths), for caching."""


@dataclass(frozen=True)
class Surroundings:
    """What a strategy may draw on: the run's seed, and the model, loaded when asked for."""

    seed: int
    encoder: Callable[[], Encoder]


@dataclass(frozen=True)
class Ranked:
    """The best passages of each query, best first: passage numbers (-1 for none) and scores, shape (queries, depth).

    ``comparable`` says whether scores of different passages for one query may be compared.
    """

    passages: Integers
    scores: Floats
    comparable: bool = True


#: Of the negatives that are chosen from the first for some queries, by their numbers, the share (0 to 1) that is chosen
#: from the second, too; what strategies that do not compare all are held to.
Agreement = Callable[["Integers", Ranked, Ranked], float]


#: The least agreement with exact search that is as good as it: what differs are neighbours in rank.
SUFFICES: Final = 0.95


@dataclass(frozen=True)
class Searched:
    """How a search was shortened: the share of the passages that each query was compared with (1: all, after a try).

    On ``sample`` queries it was held against exact search: shares of its negatives and of its candidates that were
    found, too.
    """

    share: float
    sample: int
    negatives: float
    candidates: float


class Strategy(ABC):
    """Finds passages for queries. A new one is a new file in this package, named like its ``name``."""

    name: ClassVar[str]
    #: Modules that it needs beside those of every search.
    packages: ClassVar[tuple[str, ...]] = ()
    #: What :meth:`parts` did last, where it had too much to compare.
    searched: Searched | None = None

    def __init__(self, surroundings: Surroundings) -> None:
        self.surroundings = surroundings

    @abstractmethod
    def index(self, passages: Sequence[str]) -> None:
        """Make ``passages`` searchable; their numbers are their places."""

    @abstractmethod
    def search(self, queries: Sequence[str], depth: int) -> Ranked:
        """The ``depth`` best passages of each query."""

    def parts(
        self, queries: Sequence[str], depth: int, at_once: int, agreement: Agreement | None = None
    ) -> Iterator[tuple[Integers, Ranked]]:
        """:meth:`search` for about ``at_once`` queries after the other, so that what is found of many fits into memory.

        Yields the numbers of the queries, in whatever order, with what was found. With ``agreement`` it need not be
        what :meth:`search` finds, if :data:`SUFFICES` is reached on a sample.
        """
        import numpy as np

        for start in range(0, len(queries), at_once):
            rows = np.arange(start, min(start + at_once, len(queries)))
            yield rows, self.search(queries[start : start + at_once], depth)

    @abstractmethod
    def scores(self, rows: Integers, passages: Integers) -> Floats:
        """Scores of single pairs: query ``rows[i]`` of the last search, or part, with ``passages[i]``."""

    def identity(self) -> dict[str, Any]:
        """What the result depends on beside texts and options."""
        return {"seed": self.surroundings.seed}


#: What a preset says to mine nothing.
NONE = "none"


@cache
def catalogue() -> Mapping[str, type[Strategy]]:
    """Every strategy by name, in alphabetical order. Plug-ins: entry points of ``tunewiz.negatives``."""
    return Registry("tunewiz.backends.negatives", Strategy, "negatives").classes()


def strategy_problems(strategy: str, key: str = "data.negatives.strategy") -> list[Problem]:
    """One problem (``negatives-strategy-unknown``) when there is no such strategy."""
    if strategy == NONE or strategy in catalogue():
        return []
    message = say("There is no strategy {name} for negatives.", name=strategy)
    fix = say("Choose one of: {names}.", names=(NONE, *catalogue()))
    return [error("negatives-strategy-unknown", message, Where(key=key), fix)]
