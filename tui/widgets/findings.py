"""Problems as text: what is wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from data.language import N_, translate
from data.problems import Problem

_STYLES = {"error": ("bold", N_("error")), "warning": ("", N_("warning")), "note": ("dim", N_("note"))}


def told(problems: Iterable[Problem]) -> Text:
    """``problems`` one below the other, in the current language; text from outside is printable already."""
    text = Text()
    for problem in problems:
        style, word = _STYLES[problem.severity]
        where = str(problem.where)
        text.append(f"{translate(word)}: ", style)
        text.append(f"{where}: " if where else "", "dim")
        text.append(problem.message.text() + "\n", style)
        if problem.fix:
            text.append(f"  {problem.fix.text()}\n", "dim")
        text.append("\n")
    text.rstrip()
    return text
