"""Findings in bounded memory: the first few of each code, and how many there were."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from data.problems import Problem, Severity

KEPT: Final = 20
_ORDER: Final[dict[Severity, int]] = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True)
class Finding:
    """All problems of one code and severity: how many, and the first of them with their places."""

    severity: Severity
    code: str
    count: int
    first: tuple[Problem, ...]


class Findings:
    """Takes problems as they come (it is a ``report`` callable) and keeps the first ``kept`` of each code."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._counts: Counter[tuple[Severity, str]] = Counter()
        self._first: dict[tuple[Severity, str], list[Problem]] = {}

    def __call__(self, problem: Problem) -> None:
        """Take one problem."""
        key = (problem.severity, problem.code)
        self._counts[key] += 1
        first = self._first.setdefault(key, [])
        if len(first) < self._kept:
            first.append(problem)

    def summary(self) -> tuple[Finding, ...]:
        """One :class:`Finding` a code: errors first, then warnings, then notes; in order of appearance."""
        ordered = sorted(self._first, key=lambda key: _ORDER[key[0]])
        return tuple(Finding(key[0], key[1], self._counts[key], tuple(self._first[key])) for key in ordered)

    def count(self, code: str) -> int:
        """How many problems of ``code`` there were."""
        return sum(number for (_, told), number in self._counts.items() if told == code)

    @property
    def errors(self) -> int:
        """How many problems would stop a run."""
        return sum(number for (severity, _), number in self._counts.items() if severity == "error")
