"""Texts with nothing in them."""

from __future__ import annotations

from collections.abc import Iterator

from data.checks.base import Check, Example
from data.examples import ScoredPair
from data.problems import Problem, say, warning


class Empty(Check):
    """A query, passage or side of a pair that is empty or only spaces."""

    def look(self, example: Example) -> Iterator[Problem]:
        """See :meth:`Check.look`."""
        where = self.setting.at(example.line)
        drop = say("Fill it in, or let cleaning drop it.")
        if isinstance(example, ScoredPair):
            if not example.first.strip() or not example.second.strip():
                yield warning("empty-text", say("One of the two texts is empty."), where, drop)
            return
        if not example.query.strip():
            yield warning("empty-query", say("The query is empty."), where, drop)
        if not any(text.strip() for text in example.positives):
            yield warning("empty-positive", say("The positive is empty."), where, drop)
        if any(not text.strip() for text in example.negatives):
            yield warning("empty-negative", say("A negative is empty."), where, drop)
