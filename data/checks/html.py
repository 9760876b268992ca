"""Markup in text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from data.checks.base import TextCheck
from data.markup import strip
from data.problems import Problem, Where, say, warning


class Html(TextCheck):
    """HTML tags or entities that cleaning would take off."""

    def judge(self, texts: Sequence[tuple[str, str]], where: Where) -> Iterator[Problem]:
        """See :meth:`TextCheck.judge`."""
        for _, text in texts:
            if ("<" in text or "&" in text) and strip(text) != text:
                told = say('HTML in the text: "{text}".', text=_excerpt(text))
                yield warning("html", told, where, say("Cleaning takes the tags off and keeps what they enclose."))
                return


def _excerpt(text: str) -> str:
    start = min(found for found in (text.find("<"), text.find("&")) if found >= 0)
    return text[start : start + 30]
