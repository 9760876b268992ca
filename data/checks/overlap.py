"""Texts that play two parts that exclude each other."""

from __future__ import annotations

from collections.abc import Iterator

from data.checks.base import Check, Example, Setting
from data.examples import ScoredPair
from data.fingerprints import Seen, fingerprint
from data.language import N_
from data.problems import Message, Problem, say, warning


class Overlap(Check):
    """A query that is its own positive; a positive that is also a negative, in one row or across rows of a query."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._positives = Seen()
        self._negatives = Seen()

    def look(self, example: Example) -> Iterator[Problem]:
        """See :meth:`Check.look`."""
        if isinstance(example, ScoredPair):
            return
        query = example.query.strip()
        positives = [text.strip() for text in example.positives]
        negatives = [text.strip() for text in example.negatives]
        where = self.setting.at(example.line)
        if query and query in positives:
            told = say("The query and its positive are the same text: there is nothing to learn.")
            yield warning("query-equals-positive", told, where, say("Cleaning drops the positive."))
        if set(filter(None, positives)) & set(negatives):
            told = say("A text is positive and negative in one row.")
            yield warning("positive-among-negatives", told, where, say("Cleaning drops the negative."))
            return
        told_across = self._across(query, positives, negatives, example.line)
        if told_across is not None:
            yield warning("positive-among-negatives", told_across, where, say("Take it out of the negatives."))

    def _across(self, query: str, positives: list[str], negatives: list[str], line: int) -> Message | None:
        """A text that has the other part in an earlier row of the same query; this row is taken down."""
        right = [fingerprint(query, text) for text in positives]
        wrong = [fingerprint(query, text) for text in negatives]
        for keys, others, told in (
            (wrong, self._positives, N_("A negative is a positive of the same query in line {line}.")),
            (right, self._negatives, N_("A positive is a negative of the same query in line {line}.")),
        ):
            earlier = next((found for key in keys if (found := others.get(key)) is not None), None)
            if earlier is not None:
                return Message(told, {"line": earlier})
        for keys, seen in ((right, self._positives), (wrong, self._negatives)):
            for key in keys:
                seen.first(key, line)
        return None
