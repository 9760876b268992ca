"""Rows and queries that were there before."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Final

from data.checks.base import Check, Example, Setting
from data.examples import ScoredPair
from data.fingerprints import Seen, fingerprint, normal
from data.near_duplicates import NearDuplicates
from data.problems import Problem, say, warning

#: Queries compared for near-duplicates; beyond, only those that are equal but for case, spaces and punctuation.
COMPARED: Final = 200_000


def exact_key(example: Example) -> int:
    """The same for rows with the same texts (and score)."""
    if isinstance(example, ScoredPair):
        return fingerprint("pair", example.first, example.second, repr(example.score))
    return fingerprint("group", example.query, *example.positives, "", *example.negatives)


def near_key(example: Example) -> int:
    """The same for rows whose texts differ only in case, width, spaces and punctuation."""
    if isinstance(example, ScoredPair):
        return fingerprint("pair", normal(example.first), normal(example.second), repr(example.score))
    return fingerprint(
        "group", normal(example.query), *map(normal, example.positives), "", *map(normal, example.negatives)
    )


class Repeats(Check):
    """The same row twice, exactly or but for case, width, spaces and punctuation."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._exact = Seen()
        self._near = Seen()

    def look(self, example: Example) -> Iterator[Problem]:
        """See :meth:`Check.look`."""
        earlier = self._exact.first(exact_key(example), example.line)
        if earlier is not None:
            code, told = "duplicate-row", say("The same row as line {line}.", line=earlier)
        else:
            earlier = self._near.first(near_key(example), example.line)
            told = say("The same as line {line} but for case, spaces and punctuation.", line=earlier)
            code = "near-duplicate-row"
        if earlier is not None:
            yield warning(code, told, self.setting.at(example.line), say("Cleaning keeps the first."))


class SimilarQueries(Check):
    """Queries that say nearly the same; the split keeps them on one side."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._seen = Seen()
        self._lines = array("I")
        self._queries = NearDuplicates()

    def look(self, example: Example) -> Iterator[Problem]:
        """See :meth:`Check.look`."""
        if isinstance(example, ScoredPair) or not self.setting.retrieval or len(self._queries) >= COMPARED:
            return
        if self._seen.first(fingerprint(normal(example.query)), example.line) is None:
            self._queries.add(example.query)
            self._lines.append(example.line)
        yield from ()

    def end(self) -> Iterator[Problem]:
        """The pairs found, by line."""
        found = sorted((pair.second, pair.first, pair.similarity) for pair in self._queries.pairs())
        for second, first, similarity in found:
            told = say(
                "The query is nearly that of line {line} ({percent} % alike).",
                line=self._lines[first],
                percent=round(100 * similarity),
            )
            fix = say("Nothing to do if both are meant: the split keeps them on one side.")
            yield warning("near-duplicate-query", told, self.setting.at(self._lines[second]), fix)
