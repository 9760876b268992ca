"""Why something was not done: problems as text, with what to do."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from tunewiz.language import N_, translate
from tunewiz.problems import Problem
from tunewiz.tui.screens.kinds import Dialog
from tunewiz.tui.widgets.labels import KeyHints, Words

# Problems as text: what is wrong, where, and what to do.


_STYLES = {"error": ("bold", N_("error")), "warning": ("", N_("warning")), "note": ("dim", N_("note"))}


def problems_text(problems: Iterable[Problem]) -> Text:
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


# Why something was not done.


class ProblemsScreen(Dialog[None]):
    """All problems at once, each with its fix."""

    CSS_PATH = Path(__file__).with_suffix(".tcss")
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter", "leave", N_("Back"))]

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__()
        self.problems = problems

    def compose(self) -> ComposeResult:
        """A heading and the list."""
        with VerticalScroll(id="box"):
            yield Words(N_("This cannot run yet:"), id="heading")
            yield Words(lambda: problems_text(self.problems), id="problems")
        yield KeyHints()
