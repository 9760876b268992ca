"""Choose a form and have the run's model written in it, into a folder of the run."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tunewiz.backends.export.targets import catalogue
from tunewiz.backends.runs.run import Run
from tunewiz.errand import send
from tunewiz.language import N_, translate
from tunewiz.printable import printable
from tunewiz.problems import Message as Told
from tunewiz.problems import TunewizError
from tunewiz.tui.screens.kinds import Dialog
from tunewiz.tui.widgets.labels import Words


class ExportScreen(Dialog[None]):
    """A list of forms; Enter writes the chosen one. The work goes on when the dialog is left."""

    CSS_PATH = Path(__file__).with_suffix(".tcss")
    HELP_TEXT: ClassVar[str] = N_(
        "The model is written below the run's directory; `tunewiz export RUN --to WHAT --out DIR` writes it elsewhere."
    )

    class Written(Message):
        """It is there; ``use`` says how it is used."""

        def __init__(self, place: Path, use: Told) -> None:
            super().__init__()
            self.place = place
            self.use = use

    class Refused(Message):
        """It could not be written."""

        def __init__(self, words: str) -> None:
            super().__init__()
            self.words = words

    def __init__(self, run: Run, task: str) -> None:
        super().__init__()
        self.run = run
        self._targets = {name: one.summary for name, one in catalogue().items() if task in one.tasks}

    def compose(self) -> ComposeResult:
        """The forms, and what became of the last one."""
        width = max(map(len, self._targets), default=0)
        with Vertical():
            yield Words(N_("Export as"), classes="heading")
            yield OptionList(
                *(Option(Text(f"{name:<{width}} {translate(words)}"), id=name) for name, words in self._targets.items())
            )
            yield Words("", id="outcome")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Write it."""
        event.stop()
        self.query_one("#outcome", Words).tell(N_("Writing ..."))
        self._write(str(event.option.id))

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _write(self, target: str) -> None:
        place = self.run.directory / "exports" / target
        try:
            use = send("tunewiz.backends.export.targets:write", self.run, target, place)
        except TunewizError as fault:
            self.post_message(self.Refused("  ".join(problem.line() for problem in fault.problems)))
            return
        self.post_message(self.Written(place, use))

    def on_export_screen_written(self, message: Written) -> None:
        """Say where it is and what to do there."""
        place, use = printable(message.place, 400), message.use
        self.query_one("#outcome", Words).tell(lambda: f"{place}\n{use.text()}")

    def on_export_screen_refused(self, message: Refused) -> None:
        """Say why."""
        self.query_one("#outcome", Words).tell(lambda: message.words)
