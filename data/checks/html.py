"""Markup in text."""

from __future__ import annotations

from collections.abc import Iterator

from data.checks.base import Check, Example, texts
from data.markup import strip
from data.problems import Problem, say, warning


class Html(Check):
    """HTML tags or entities that cleaning would take off."""

    def look(self, example: Example) -> Iterator[Problem]:
        """See :meth:`Check.look`."""
        for _, text in texts(example):
            if ("<" in text or "&" in text) and strip(text) != text:
                told = say('HTML in the text: "{text}".', text=_excerpt(text))
                fix = say("Cleaning takes the tags off and keeps what they enclose.")
                yield warning("html", told, self.setting.at(example.line), fix)
                return


def _excerpt(text: str) -> str:
    start = min(found for found in (text.find("<"), text.find("&")) if found >= 0)
    return text[start : start + 30]
