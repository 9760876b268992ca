"""Runs side by side: measures, and where the presets differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import DataTable

from tunewiz.backends.reports.efforts import efforts
from tunewiz.backends.runs.comparing import Row, differences, measures
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.state import RunState
from tunewiz.language import N_, translate
from tunewiz.printable import printable
from tunewiz.tui.dialogs.copying import Copyable, Copying
from tunewiz.tui.panels.pages import OverlayPanel
from tunewiz.tui.screens.kinds import FullScreen
from tunewiz.tui.screens.lesson import lesson_of
from tunewiz.tui.screens.messages import LessonWanted
from tunewiz.tui.widgets.labels import KeyHints, TitleBar, Words
from tunewiz.tui.widgets.table import Table


class ComparisonScreen(Copying, FullScreen):
    """The runs' curves over one another, then two tables with a column a run."""

    CSS_PATH = Path(__file__).with_suffix(".tcss")
    HELP_TEXT: ClassVar[str] = N_(
        "The curves of the runs over one another, [ and ] turn to the other curves; below them the measures, and every "
        "key in which the presets differ."
    )

    class Compared(Message):
        """The runs were read."""

        def __init__(
            self,
            states: tuple[RunState, ...],
            measures: tuple[Row, ...],
            efforts: tuple[Row, ...],
            differences: tuple[Row, ...],
        ) -> None:
            super().__init__()
            self.states = states
            self.measures = measures
            self.efforts = efforts
            self.differences = differences

    def __init__(self, runs: tuple[Run, ...]) -> None:
        super().__init__()
        self.runs = runs
        self._rows: tuple[tuple[Row, ...], ...] = ((), (), ())

    def compose(self) -> ComposeResult:
        """Measures, then settings."""
        yield TitleBar(N_("Compare"), translate("{count} runs").format(count=len(self.runs)))
        with VerticalScroll(can_focus=False):
            yield OverlayPanel()
            yield Words(N_("Measures, before → after"), classes="heading")
            yield Table[Text](id="measures", cursor_type="row")
            yield Words(N_("What they took"), classes="heading")
            yield Table[Text](id="efforts", cursor_type="row")
            yield Words(N_("Settings that differ"), classes="heading")
            yield Table[Text](id="settings", cursor_type="row")
        yield KeyHints()

    def copies(self) -> list[Copyable]:
        """What tells the same in the shell."""
        return [Copyable(N_("Command"), "tunewiz compare " + " ".join(run.typed for run in self.runs))]

    def on_mount(self) -> None:
        """Read in a thread."""
        self.query_one(OverlayPanel).focus()
        self._read()

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _read(self) -> None:
        states = [read_state(run) for run in self.runs]
        told = self.Compared(tuple(states), measures(states), efforts(self.runs, states), differences(self.runs))
        self.post_message(told)

    def on_comparison_screen_compared(self, message: Compared) -> None:
        """Show the rows."""
        self._rows = (message.measures, message.efforts, message.differences)
        self.query_one(OverlayPanel).tell(
            [(run.name, state) for run, state in zip(self.runs, message.states, strict=True)]
        )
        self._fill()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Explain the measure."""
        event.stop()
        rows = self._rows[0]
        if event.data_table.id == "measures" and event.cursor_row < len(rows):
            self.post_message(LessonWanted(lesson_of(rows[event.cursor_row].name)))

    def relabel(self) -> None:
        """The language changed."""
        super().relabel()
        self._fill()

    def _fill(self) -> None:
        headings = (translate("measure"), "", translate("key"))
        nothing = (
            translate("None of them has been measured yet."),
            translate("That is not known of any of them."),
            translate("None: the presets are alike."),
        )
        tables = self.query(DataTable)
        for table, rows, heading, empty in zip(tables, self._rows, headings, nothing, strict=True):
            table.clear(columns=True)
            table.add_columns(heading, *(Text(printable(run.name, 40)) for run in self.runs))
            for row in rows:
                table.add_row(Text(printable(row.name, 40)), *_cells(row.values))
            if not rows:
                table.add_row(Text(empty), *("" for _ in self.runs))


def _cells(values: Sequence[str]) -> list[Text]:
    return [Text(printable(value, 40) if value else "—") for value in values]
