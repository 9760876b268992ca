"""Why something was not done."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from data.language import N_
from data.problems import Problem
from tui.screens.base import Dialog
from tui.widgets.findings import told
from tui.widgets.key_hints import KeyHints
from tui.widgets.words import Words


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
            yield Words(lambda: told(self.problems), id="problems")
        yield KeyHints()
