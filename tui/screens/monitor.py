"""The live view of a run."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from tunewiz.backends.runs.process import alive, ask_to_stop, kill
from tunewiz.backends.runs.run import Run
from tunewiz.language import N_, translate
from tunewiz.problems import say
from tunewiz.tui.dialogs.copying import Copyable, Copying, of_run
from tunewiz.tui.outcome import ending
from tunewiz.tui.panels.curves import GradientPanel, RatePanel
from tunewiz.tui.panels.hardware import HardwarePanel
from tunewiz.tui.panels.log import LogPanel
from tunewiz.tui.panels.pages import ANSWERS, LossPanel, MeasurePanel
from tunewiz.tui.panels.panel import INTERVAL, SAMPLING, MachineWatch, Panel, View, Watch
from tunewiz.tui.panels.status import AdvicePanel, ProgressPanel
from tunewiz.tui.screens.confirm import ConfirmScreen
from tunewiz.tui.screens.kinds import FullScreen
from tunewiz.tui.screens.messages import ResultWanted
from tunewiz.tui.terminal.looks import LooksApp
from tunewiz.tui.widgets.labels import KeyHints, TitleBar
from tunewiz.tui.widgets.typed import TextLine


class MonitorScreen(Copying, FullScreen):
    """Two threads watch the run and the machine; one message carries what they saw; panels render it."""

    CSS_PATH = Path(__file__).with_suffix(".tcss")
    ALLOW_IN_MAXIMIZED_VIEW = "KeyHints,TitleBar,#search"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "stop", N_("Stop")),
        Binding("a", "answers", N_("Answers"), tooltip=N_("What the model writes at each evaluation")),
        Binding("slash", "search", N_("Search the log"), key_display="/", show=False),
    ]
    HELP_TEXT = N_(
        "The run goes on whether or not anybody watches. Tab moves between the panels, Enter zooms one, arrows read "
        "values from a curve, [ and ] turn to the other curves: each measure of the evaluations, cosines, the machine "
        "over time. Stop saves a checkpoint and ends the run; a second stop kills it."
    )

    class Looked(Message):
        """The run and its machine were looked at."""

        def __init__(self, view: View) -> None:
            super().__init__()
            self.view = view

        def can_replace(self, message: Message) -> bool:
            """A newer look makes those that wait superfluous."""
            return isinstance(message, MonitorScreen.Looked)

    def __init__(self, run: Run, stay: bool = False) -> None:
        super().__init__()
        self.run = run
        self.view: View | None = None
        self._stay = stay
        self._rounds = 0
        self._lived = False  # whether it was seen to go on, so that its end is news
        self._left = threading.Event()
        self._machine = MachineWatch(run)

    def compose(self) -> ComposeResult:
        """Progress on top, curves and machine at the left, advice at the right, the log below."""
        yield TitleBar(N_("Run"), self.run.name)
        yield ProgressPanel()
        with Vertical(id="left"):
            yield LossPanel()
            yield HardwarePanel()
            yield LogPanel()
        with Vertical(id="right"):
            yield MeasurePanel()
            yield RatePanel()
            yield GradientPanel()
            yield AdvicePanel()
        yield TextLine(id="search", placeholder=translate("Search the log"), compact=True)
        yield KeyHints()

    def on_mount(self) -> None:
        """Begin to watch."""
        self.query_one(LossPanel).focus()
        self._watch_run()
        self._watch_machine()

    def on_unmount(self) -> None:
        """Stop watching; the run is not touched."""
        self._left.set()

    @work(thread=True, exclusive=True, exit_on_error=False, group="run")
    def _watch_run(self) -> None:
        watch = Watch(self.run, self._machine)
        while not self._left.is_set():
            view = watch.look()
            self.post_message(self.Looked(view))
            if view.state.over and not alive(self.run):
                return
            self._left.wait(INTERVAL)

    @work(thread=True, exclusive=True, exit_on_error=False, group="machine")
    def _watch_machine(self) -> None:
        try:
            while not self._left.is_set():
                self._machine.look()
                self._left.wait(SAMPLING)
        finally:
            self._machine.close()

    def on_monitor_screen_looked(self, message: Looked) -> None:
        """Hand the view down; go to the result when the run is over."""
        self.view = view = message.view
        for panel in self.query(Panel):
            if panel.display:
                panel.show(view)
        if len(view.state.answers) != self._rounds:
            self._rounds = len(view.state.answers)
            self.refresh_bindings()
        if view.state.over and self._lived:
            self._lived = False
            if isinstance(self.app, LooksApp):
                self.app.announce("Tunewiz", ending(self.run, view.state))
        self._lived |= not view.state.over
        if view.state.over and not self._stay:
            self._stay = True
            self.post_message(ResultWanted(self.run, replace=True))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Answers are offered once there are some, and stopping as long as there is something to stop."""
        if action == "answers":
            return bool(self.view and self.view.state.answers)
        return not (action == "stop" and self.view is not None and self.view.state.over)

    def copies(self) -> list[Copyable]:
        """The command that comes back here, and where things lie."""
        found = of_run(self.run)
        return [found[-1], *found[:-1]]

    def action_answers(self) -> None:
        """Turn the large panel to the sample answers, and back to the loss."""
        panel = self.query_one(LossPanel)
        panel.focus()
        panel.turn_to("loss" if panel.name_of_page == ANSWERS else ANSWERS)

    def action_stop(self) -> None:
        """First: save and leave. Asked again: kill. Each after a yes."""
        if self.view is None or self.view.state.over:
            return
        if not self.run.stop_requested():
            question = say("Stop {name}?", name=self.run.name)
            detail = say("It saves a checkpoint at its next step and ends. You can go on from there later.")
            self.app.push_screen(ConfirmScreen(question, detail, N_("Save and stop")), self._stop)
            return
        question = say("{name} was asked to stop and has not ended yet. Kill it?", name=self.run.name)
        detail = say("What was trained since the last checkpoint is lost.")
        self.app.push_screen(ConfirmScreen(question, detail, N_("Kill it now"), danger=True), self._kill)

    def _stop(self, agreed: bool | None) -> None:
        if agreed and alive(self.run):
            ask_to_stop(self.run)
            self.notify(translate("The run saves a checkpoint, then ends."), markup=False)

    def _kill(self, agreed: bool | None) -> None:
        if agreed and kill(self.run):
            self.run.end_stopped()

    def action_search(self) -> None:
        """Type what to look for in the log."""
        self._ask()

    def on_log_panel_search_wanted(self, message: LogPanel.SearchWanted) -> None:
        """The log panel asks for words."""
        message.stop()
        self._ask()

    def _ask(self) -> None:
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
        """Close the search box if it is open, else the screen, telling how to come back."""
        box = self.query_one("#search", Input)
        if box.display:
            box.display = False
            self.query_one(LogPanel).focus()
            return
        if self.view and not self.view.state.over:
            words = translate("The run goes on. It is at the top of the list whenever you start tunewiz.")
            self.notify(words, markup=False)
        self.app.pop_screen()
