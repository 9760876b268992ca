"""Query and positive the wrong way round, in some rows or in all."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from statistics import median
from typing import Final

from data.checks.base import Check, Example, Setting
from data.examples import ScoredPair
from data.problems import Problem, say, warning

_ROWS: Final = 20  # fewer tell nothing of what is typical
_RATIO: Final = 3.0


class Swapped(Check):
    """Goes by length: queries are shorter than what answers them, nearly always."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._lines = array("I")
        self._queries = array("I")
        self._positives = array("I")

    def look(self, example: Example) -> Iterator[Problem]:
        """Take the lengths down."""
        if self.setting.retrieval and not isinstance(example, ScoredPair) and example.positives:
            self._lines.append(example.line)
            self._queries.append(len(example.query))
            self._positives.append(len(example.positives[0]))
        yield from ()

    def end(self) -> Iterator[Problem]:
        """Compare each row with what is typical."""
        if len(self._lines) < _ROWS:
            return
        query, positive = median(self._queries), median(self._positives)
        if query > _RATIO * positive:
            told = say(
                "Queries are longer than positives: {query} against {positive} characters (medians).",
                query=int(query),
                positive=int(positive),
            )
            fix = say("If the columns are swapped, say so: --map query=... --map positive=...")
            yield warning("swapped-columns", told, self.setting.at(0), fix)
        elif positive > _RATIO * query:
            yield from self._rows(query, positive)

    def _rows(self, query: float, positive: float) -> Iterator[Problem]:
        for line, asked, answered in zip(self._lines, self._queries, self._positives, strict=True):
            if 0 < _RATIO * answered < asked and asked > positive / 2 and answered < 2 * query:
                told = say(
                    "Query and positive look swapped: {query} and {positive} characters.",
                    query=asked,
                    positive=answered,
                )
                yield warning("swapped-row", told, self.setting.at(line), say("Swap them, or take the row out."))
