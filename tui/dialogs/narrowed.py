"""Screens with a table that a line of words above it narrows while they are typed."""

from __future__ import annotations

from abc import abstractmethod

from textual.widgets import DataTable, Input

from tunewiz.tui.screens.kinds import FullScreen


class NarrowedScreen(FullScreen):
    """The words stand in :attr:`words`; Enter in the line goes back to the table, in the table it opens a row."""

    words = ""

    @abstractmethod
    def _fill(self) -> None:
        """Show the rows that have all of the words."""

    @abstractmethod
    def action_open(self) -> None:
        """Open what the cursor is on."""

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Open it."""
        event.stop()
        self.action_open()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the table while typing."""
        self.words = event.value
        self._fill()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Back to the table."""
        event.stop()
        self.query_one(DataTable).focus()

    def action_filter(self) -> None:
        """Go to the line above the table."""
        self.set_focus(self.query_one(Input))  # now, not once the queue is empty
