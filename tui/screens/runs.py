"""All runs: what goes on, what came out; open, resume, clone, compare, delete."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.message import Message
from textual.widgets import DataTable

from tunewiz.backends.runs.process import alive
from tunewiz.backends.runs.run import Run
from tunewiz.language import N_, translate
from tunewiz.printable import printable
from tunewiz.problems import say
from tunewiz.tui.dialogs.copying import Copyable, Copying, of_run
from tunewiz.tui.dialogs.narrowed import NarrowedScreen
from tunewiz.tui.outcome import Listed, Listing, ending
from tunewiz.tui.screens.confirm import ConfirmScreen
from tunewiz.tui.screens.kinds import Watching
from tunewiz.tui.screens.messages import CloneWanted, ComparisonWanted, MonitorWanted, ResultWanted, ResumeWanted
from tunewiz.tui.widgets.labels import KeyHints, TitleBar
from tunewiz.tui.widgets.table import Table
from tunewiz.tui.widgets.typed import TextLine

# Runs as a table: live ones first, then the newest; only cells that changed are touched.


COLUMNS: Final = (N_("run"), N_("status"), N_("before → after"), N_("model"), N_("began"))
WIDE: Final = 110  # cells of a screen with room for all columns


class RunTable(Table[Text]):
    """The cursor stays on its run whatever comes and goes; narrow screens have the first three columns."""

    def __init__(self) -> None:
        super().__init__(cursor_type="row")
        self._listed: Mapping[str, Listed] = {}
        self._rows: dict[str, tuple[str, ...]] = {}
        self._titles: Sequence[str] = ()

    @property
    def current(self) -> Listed | None:
        """The run under the cursor."""
        names = list(self._rows)
        return self._listed.get(names[self.cursor_row]) if 0 <= self.cursor_row < len(names) else None

    def head(self) -> None:
        """Name the columns anew: the language or the width changed. The rows are gone until they are shown."""
        self.clear(columns=True)
        self._rows = {}
        self._titles = COLUMNS if self.app.size.width >= WIDE else COLUMNS[:3]
        for title in self._titles:
            self.add_column(translate(title), key=title)

    def show_runs(self, runs: Sequence[Listed], marked: Collection[str]) -> None:
        """Show ``runs``; those whose names are ``marked`` have a mark."""
        here = self.current
        ordered = sorted(runs, key=lambda item: (not item.alive, -item.state.started))
        self._listed = {item.run.name: item for item in ordered}
        before, self._rows = self._rows, {name: self._row(item, marked) for name, item in self._listed.items()}
        if list(before) == list(self._rows):
            self._change(before)
            return
        self.clear()
        for name, row in self._rows.items():
            self.add_row(*(Text(cell) for cell in row), key=name)
        if here and here.run.name in self._rows:
            self.move_cursor(row=list(self._rows).index(here.run.name))

    def _change(self, before: Mapping[str, tuple[str, ...]]) -> None:
        for name, row in self._rows.items():
            for title, cell, earlier in zip(self._titles, row, before[name], strict=True):
                if cell != earlier:
                    self.update_cell(name, title, Text(cell), update_width=True)

    def _row(self, item: Listed, marked: Collection[str]) -> tuple[str, ...]:
        state = item.state
        mark = "✓ " if item.run.name in marked else "● " if item.alive else "  "
        began = time.strftime("%m-%d %H:%M", time.localtime(state.started)) if state.started else ""
        name = printable(item.run.name, max(20, min(50, self.app.size.width - 50)))
        return (mark + name, item.progress, item.gain, printable(state.model, 32), began)[: len(self._titles)]


# All runs: what goes on, what came out; open, resume, clone, compare, delete.


INTERVAL = 1.0  # seconds between two looks
_NEEDS_RUN = {"resume", "clone", "compare", "mark", "delete", "copy"}


class RunsScreen(Copying, Watching, NarrowedScreen):
    """A table, newest first, live ones above all; a line to narrow it."""

    CSS_PATH = Path(__file__).with_suffix(".tcss")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", N_("Open"), key_display="⏎"),
        Binding("space", "mark", N_("Mark"), key_display="␣"),
        Binding("v", "compare", N_("Compare"), tooltip=N_("Compare the marked runs, two or more")),
        Binding("r", "resume", N_("Resume")),
        Binding("c", "clone", N_("Clone"), tooltip=N_("A new draft with this run's settings")),
        Binding("d", "delete", N_("Delete")),
        Binding("slash", "filter", N_("Filter"), key_display="/"),
    ]
    HELP_TEXT = N_(
        "Enter watches a run that goes on and shows the result of one that is over. Mark runs with the space bar and "
        "compare them with v. A run that stopped or broke can be resumed; a clone starts a new draft from its settings."
    )

    class Seen(Message):
        """The runs were looked at."""

        def __init__(self, runs: tuple[Listed, ...]) -> None:
            super().__init__()
            self.runs = runs

        def can_replace(self, message: Message) -> bool:
            """Only the newest look counts."""
            return isinstance(message, RunsScreen.Seen)

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.listed: tuple[Listed, ...] = ()
        self.marked: set[str] = set()
        self.words = ""

    def compose(self) -> ComposeResult:
        """The line and the table."""
        yield TitleBar(N_("Runs"), str(self.folder))
        yield TextLine(id="filter", placeholder=translate("Filter by name, status or model"), compact=True)
        yield RunTable()
        yield KeyHints()

    def on_mount(self) -> None:
        """Begin to look."""
        self.query_one(RunTable).head()
        self.query_one(RunTable).focus()
        self._look()

    @work(thread=True, exclusive=True, exit_on_error=False, group="runs")
    def _look(self) -> None:
        listing = Listing(self.folder)
        while self._turns.next(INTERVAL):
            self.post_message(self.Seen(listing.look()))

    def on_runs_screen_seen(self, message: Seen) -> None:
        """Bring the table up to date."""
        self.listed = message.runs
        self.marked &= {item.run.name for item in self.listed}
        self._fill()

    def relabel(self) -> None:
        """The language changed."""
        super().relabel()
        self.query_one(RunTable).head()
        self._fill()

    def on_resize(self, event: Resize) -> None:
        """A narrow screen has fewer columns."""
        self.query_one(RunTable).head()
        self._fill()

    def _fill(self) -> None:
        self.query_one(RunTable).show_runs([item for item in self.listed if self._fits(item)], self.marked)
        self.refresh_bindings()

    def _fits(self, item: Listed) -> bool:
        text = " ".join((item.run.name, item.status, item.progress, item.state.model, item.state.task)).lower()
        return all(word in text for word in self.words.lower().split())

    def _current(self) -> Listed | None:
        return self.query_one(RunTable).current

    def check_action(self, action: str, parameters: tuple[Any, ...]) -> bool | None:
        """Only what can be done with the run under the cursor is offered."""
        if not self.is_mounted or action not in _NEEDS_RUN:
            return True
        item = self._current()
        if item is None:
            return False
        if action == "resume":
            return not item.alive and item.state.status in ("stopped", "failed", "lost")
        if action == "delete":
            return not item.alive
        return len(self.marked) > 1 if action == "compare" else True

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """What can be done depends on the run."""
        self.refresh_bindings()

    def copies(self) -> list[Copyable]:
        """Of the run under the cursor."""
        item = self._current()
        verdict = [Copyable(N_("Verdict"), ending(item.run, item.state))] if item and item.state.over else []
        return [*verdict, *of_run(item.run)] if item else []

    def action_open(self) -> None:
        """Watch it, or see how it ended."""
        item = self._current()
        if item:
            self.post_message(ResultWanted(item.run) if item.state.over else MonitorWanted(item.run))

    def action_mark(self) -> None:
        """Mark it for a comparison, or take the mark away."""
        item = self._current()
        if item:
            self.marked ^= {item.run.name}
            self._fill()

    def action_compare(self) -> None:
        """See the marked runs side by side."""
        self.post_message(ComparisonWanted(tuple(item.run for item in self.listed if item.run.name in self.marked)))

    def action_resume(self) -> None:
        """Go on with it."""
        item = self._current()
        if item:
            self.post_message(ResumeWanted(item.run))

    def action_clone(self) -> None:
        """A new draft like it."""
        item = self._current()
        if item:
            self.post_message(CloneWanted(item.run))

    def action_delete(self) -> None:
        """Remove its directory, after a yes."""
        item = self._current()
        if not item:
            return
        run = item.run
        question = say("Delete {name}?", name=run.name)
        detail = say("Its model, checkpoints, report and log in {folder} are removed for good.", folder=run.directory)

        def remove(agreed: bool | None) -> None:
            if agreed:
                self._remove(run)

        self.app.push_screen(ConfirmScreen(question, detail, N_("Delete"), danger=True), remove)

    @work(thread=True, exit_on_error=False, group="delete")
    def _remove(self, run: Run) -> None:
        # Asked again here: it may have been resumed meanwhile.
        if not alive(run):
            shutil.rmtree(run.directory)
