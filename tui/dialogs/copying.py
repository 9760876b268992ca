"""``y``: copy a path, a verdict or a command into the clipboard of the machine the user sits at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tunewiz.backends.runs.run import Run
from tunewiz.language import N_, translate
from tunewiz.printable import printable
from tunewiz.tui.screens.kinds import Dialog
from tunewiz.tui.terminal.looks import LooksApp
from tunewiz.tui.widgets.labels import KeyHints, Words


class Copyable(NamedTuple):
    """Something to copy: what it is (marked for translation), and the text."""

    label: str
    text: str


class CopyScreen(Dialog[str]):
    """Dismissed with the text that was chosen."""

    CSS_PATH = "copying.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", N_("Copy"), key_display="⏎"),
        Binding("y", "choose", show=False),
        Binding("j", "move(1)", show=False),
        Binding("k", "move(-1)", show=False),
    ]

    def __init__(self, choices: Sequence[Copyable]) -> None:
        super().__init__()
        self.choices = choices

    def compose(self) -> ComposeResult:
        """What there is to copy."""
        with Vertical(id="box"):
            yield Words(N_("Copy"), id="title")
            yield OptionList(*(Option(_line(one)) for one in self.choices), compact=True)
        yield KeyHints()

    def on_mount(self) -> None:
        """Enter copies the first."""
        self.query_one(OptionList).focus()
        self.query_one(OptionList).highlighted = 0

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Chosen."""
        event.stop()
        self.dismiss(self.choices[event.option_index].text)

    def action_choose(self) -> None:
        """Copy what is under the cursor."""
        at = self.query_one(OptionList).highlighted
        self.dismiss(self.choices[at].text if at is not None else None)

    def action_move(self, by: int) -> None:
        """Up and down."""
        choices = self.query_one(OptionList)
        if by > 0:
            choices.action_cursor_down()
        else:
            choices.action_cursor_up()


def _line(one: Copyable) -> Text:
    text = Text(translate(one.label), style="bold")
    return text.append(f"  {printable(one.text.splitlines()[0] if one.text else '', 300)}", style="not bold")


class Copying(Screen[None]):
    """A screen with something to copy."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "copy", N_("Copy"), tooltip=N_("A path, a command, ..."))]

    def copies(self) -> list[Copyable]:
        """What there is to copy, the most wanted first."""
        raise NotImplementedError

    def action_copy(self) -> None:
        """Ask what, unless there is one thing only."""
        choices = self.copies()
        if len(choices) == 1:
            self._copy(choices[0].text)
        elif choices:
            self.app.push_screen(CopyScreen(choices), self._copy)

    def _copy(self, text: str | None) -> None:
        if text and isinstance(self.app, LooksApp):
            self.app.copy(text)


def of_run(run: Run) -> list[Copyable]:
    """The paths and commands of a run."""
    places: list[tuple[str, Path]] = [
        (N_("Model"), run.model),
        (N_("Report"), run.report / "report.md"),
        (N_("Log"), run.log_file),
        (N_("Run"), run.directory),
    ]
    found = [Copyable(label, str(path)) for label, path in places if path.exists()]
    return [*found, Copyable(N_("Command"), f"tunewiz watch {run.typed}")]
