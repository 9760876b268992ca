"""The whole log of a run."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from tunewiz.backends.runs.follow import LogTail
from tunewiz.backends.runs.run import Run
from tunewiz.language import N_, translate
from tunewiz.tui.panels.log import LogPanel
from tunewiz.tui.screens.kinds import FullScreen
from tunewiz.tui.widgets.labels import KeyHints, TitleBar
from tunewiz.tui.widgets.typed import TextLine

INTERVAL = 0.5  # seconds between two looks
KEPT = 100_000  # lines


class LogScreen(FullScreen):
    """Follows the log while the run goes on; searchable."""

    CSS_PATH = Path(__file__).with_suffix(".tcss")
    BINDINGS: ClassVar[list[BindingType]] = [Binding("slash", "search", N_("Search"), key_display="/")]

    class Grown(Message):
        """There are more lines."""

        def __init__(self, text: tuple[str, ...]) -> None:
            super().__init__()
            self.text = text

        def can_replace(self, message: Message) -> bool:
            """Only the newest counts."""
            return isinstance(message, LogScreen.Grown)

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run
        self._left = threading.Event()

    def compose(self) -> ComposeResult:
        """The log, and a line to type what to look for."""
        yield TitleBar(N_("Log"), self.run.name)
        yield LogPanel()
        yield TextLine(id="search", placeholder=translate("Search the log"), compact=True)
        yield KeyHints()

    def on_mount(self) -> None:
        """Begin to follow."""
        self.query_one(LogPanel).focus()
        self._follow()

    def on_unmount(self) -> None:
        """Stop following."""
        self._left.set()

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _follow(self) -> None:
        tail, shown = LogTail(self.run.log_file, KEPT), None
        while not self._left.is_set():
            text = tail.update()
            if text is not shown:
                shown = text
                self.post_message(self.Grown(text))
            self._left.wait(INTERVAL)

    def on_log_screen_grown(self, message: Grown) -> None:
        """Show the lines."""
        self.query_one(LogPanel).hold(message.text)

    def on_log_panel_search_wanted(self, message: LogPanel.SearchWanted) -> None:
        """The panel asks for words."""
        message.stop()
        self.action_search()

    def action_search(self) -> None:
        """Type what to look for."""
        box = self.query_one("#search", Input)
        box.display = True
        self.set_focus(box)  # now, not once the queue is empty

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Search, and go back to the log."""
        event.stop()
        event.input.display = False
        log = self.query_one(LogPanel)
        log.focus()
        if event.value and not log.seek(event.value):
            self.notify(translate("No line has these words."), markup=False)

    def action_leave(self) -> None:
        """Close the search line if it is open, else the screen."""
        box = self.query_one("#search", Input)
        if box.display:
            box.display = False
            self.query_one(LogPanel).focus()
        else:
            super().action_leave()
