"""Texts with nothing in them."""

from __future__ import annotations

from collections.abc import Iterator

from data.checks.base import Check, Example
from data.examples import ScoredPair
from data.problems import Message, Problem, say, warning


class Empty(Check):
    """A query, passage or side of a pair that is empty or only spaces."""

    def look(self, example: Example) -> Iterator[Problem]:
        """See :meth:`Check.look`."""
        for code, told in _empty(example):
            yield warning(code, told, self.setting.at(example.line), say("Fill it in, or let cleaning drop it."))


def _empty(example: Example) -> Iterator[tuple[str, Message]]:
    if isinstance(example, ScoredPair):
        if not example.first.strip() or not example.second.strip():
            yield "empty-text", say("One of the two texts is empty.")
        return
    if not example.query.strip():
        yield "empty-query", say("The query is empty.")
    if not any(text.strip() for text in example.positives):
        yield "empty-positive", say("The positive is empty.")
    if any(not text.strip() for text in example.negatives):
        yield "empty-negative", say("A negative is empty.")
