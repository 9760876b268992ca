"""Findings of a stream, put into the order of the rows they belong to, whatever order they come in."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from tunewiz.problems import KEPT_OF_A_CODE, Finding, Findings, Problem, Severity

#: The row of what only the end of a stream tells: behind every other.
END: Final = 1 << 62


@dataclass
class _Kept:
    """The problems of one code: how many, and the first of them, each with its place."""

    count: int = 0
    first: list[tuple[tuple[int, int], Problem]] = field(default_factory=list)


class Placed:
    """Takes problems (it is a ``report`` callable) with the row and the step of looking at it that they belong to.

    ``row`` counts the rows that came out whole; what is reported while the next one is read stands before it. Memory:
    the first ``kept`` problems of each code.
    """

    def __init__(self, kept: int = KEPT_OF_A_CODE) -> None:
        self.row = 0
        self._kept = kept
        self._codes: dict[tuple[Severity, str], _Kept] = {}

    def __call__(self, problem: Problem) -> None:
        """Take a problem met while the next row is read."""
        self.take(problem, self.row, 0)

    def take(self, problem: Problem, row: int, step: int) -> None:
        """Take a problem of the ``row`` (from 0), found in the ``step``-th look at it."""
        kept = self._codes.setdefault((problem.severity, problem.code), _Kept())
        kept.count += 1
        self._keep(kept, (row, step), problem)

    def _keep(self, kept: _Kept, place: tuple[int, int], problem: Problem) -> None:
        if len(kept.first) < self._kept or place < kept.first[-1][0]:
            insort(kept.first, (place, problem), key=lambda entry: entry[0])
            del kept.first[self._kept :]

    def many(self, rows: Sequence[int], step: int, make: Callable[[int], Problem]) -> None:
        """Take a problem of one code for each of ``rows`` (ascending); only those that are kept are made."""
        for number, row in enumerate(rows):
            if number < self._kept:
                self.take(make(row), row, step)
                continue
            problem = make(row)
            self._codes[problem.severity, problem.code].count += len(rows) - number
            return

    def behind(self, other: Placed) -> None:
        """Take what ``other`` was told of the rows that follow those of this one."""
        for key, theirs in other._codes.items():
            kept = self._codes.setdefault(key, _Kept())
            kept.count += theirs.count
            for (row, step), problem in theirs.first:
                self._keep(kept, (row + self.row, step), problem)
        self.row += other.row

    def holds(self, code: str) -> bool:
        """Whether there is a problem of that code."""
        return any(told == code for _, told in self._codes)

    def flush(self, findings: Findings) -> None:
        """Hand everything on: the codes by their first problem, of each the first ones."""
        ordered = sorted(self._codes.items(), key=lambda item: item[1].first[0][0])
        for (severity, code), kept in ordered:
            findings.take(Finding(severity, code, kept.count, tuple(problem for _, problem in kept.first)))
        self._codes.clear()
