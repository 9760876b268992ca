"""Texts that play two parts that exclude each other."""

from __future__ import annotations

from collections.abc import Iterator

from data.checks.base import Check, Example, Setting
from data.examples import Group, ScoredPair
from data.fingerprints import Seen, fingerprint
from data.problems import Problem, say, warning


class Overlap(Check):
    """A query that is its own positive; a positive that is also a negative, in one row or across rows of a query."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._positives = Seen()
        self._negatives = Seen()

    def look(self, example: Example) -> Iterator[Problem]:
        """See :meth:`Check.look`."""
        where = self.setting.at(example.line)
        if isinstance(example, ScoredPair):
            return
        query = example.query.strip()
        positives = [text.strip() for text in example.positives]
        negatives = [text.strip() for text in example.negatives]
        if query and query in positives:
            told = say("The query and its positive are the same text: there is nothing to learn.")
            yield warning("query-equals-positive", told, where, say("Cleaning drops the positive."))
        if set(filter(None, positives)) & set(negatives):
            told = say("A text is positive and negative in one row.")
            yield warning("positive-among-negatives", told, where, say("Cleaning drops the negative."))
            return
        yield from self._across(example, query, positives, negatives)

    def _across(self, example: Group, query: str, positives: list[str], negatives: list[str]) -> Iterator[Problem]:
        where = self.setting.at(example.line)
        as_negative = [self._negatives.get(fingerprint(query, text)) for text in positives]
        as_positive = [self._positives.get(fingerprint(query, text)) for text in negatives]
        for text in positives:
            self._positives.first(fingerprint(query, text), example.line)
        for text in negatives:
            self._negatives.first(fingerprint(query, text), example.line)
        fix = say("Take it out of the negatives.")
        if line := next((found for found in as_positive if found is not None), None):
            told = say("A negative is a positive of the same query in line {line}.", line=line)
            yield warning("positive-among-negatives", told, where, fix)
        elif line := next((found for found in as_negative if found is not None), None):
            told = say("A positive is a negative of the same query in line {line}.", line=line)
            yield warning("positive-among-negatives", told, where, fix)
