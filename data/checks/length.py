"""Texts longer than a model reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from data.checks.base import TextCheck
from data.problems import Message, Problem, Where, say, warning
from data.roles import ROLES
from data.tokens import SPECIAL, estimate


class Length(TextCheck):
    """Texts of more tokens than the limit; what is beyond it is cut off."""

    def judge(self, texts: Sequence[tuple[str, str]], where: Where) -> Iterator[Problem]:
        """See :meth:`TextCheck.judge`."""
        limit = self.setting.max_tokens
        for role, text in texts:
            # A token is hardly ever shorter than a character, so that short texts need no counting.
            if len(text) + SPECIAL <= limit:
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
                yield warning("too-long", told, where, fix)
                return
