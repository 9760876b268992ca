"""Texts longer than a model reads."""

from __future__ import annotations

from collections.abc import Iterator

from data.checks.base import Check, Example, texts
from data.problems import Message, Problem, say, warning
from data.roles import ROLES
from data.tokens import estimate


class Length(Check):
    """Texts of more tokens than the limit; what is beyond it is cut off."""

    def look(self, example: Example) -> Iterator[Problem]:
        """See :meth:`Check.look`."""
        limit = self.setting.max_tokens
        for role, text in texts(example):
            # A token is hardly ever shorter than a character, so that short texts need no counting.
            if len(text) <= limit:
                continue
            tokens = self.setting.count([text])[0] if self.setting.count else estimate(text)
            if tokens > limit:
                told = say(
                    "The {role} has {characters} characters, about {tokens} tokens; beyond {limit} it is cut off.",
                    role=Message(ROLES[role]),
                    characters=len(text),
                    tokens=tokens,
                    limit=limit,
                )
                fix = say("Cut it into passages, or choose a model and a max length that take it.")
                yield warning("too-long", told, self.setting.at(example.line), fix)
                return
