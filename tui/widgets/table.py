"""A table whose columns are drawn as wide as their cells."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from textual.widgets import DataTable
from textual.widgets.data_table import RowKey

Cell = TypeVar("Cell")


class Table(DataTable[Cell]):
    """Textual's table, drawn anew once it has measured new rows.

    Textual measures columns when its queue is empty. A table drawn before that, as on a busy machine, keeps the lines
    that it drew in the width of the titles: the caches of its lines do not know the widths (true of Textual 8.2.8).
    """

    def _update_dimensions(self, new_rows: Iterable[RowKey]) -> None:
        super()._update_dimensions(new_rows)
        self._clear_caches()
        self.refresh()
