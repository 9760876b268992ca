"""Runs as a table: live ones first, then the newest; only cells that changed are touched."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from rich.text import Text
from textual.widgets import DataTable

from data.language import N_, translate
from data.printable import printable
from tui.listing import Listed

COLUMNS: Final = (N_("run"), N_("status"), N_("before → after"), N_("model"), N_("began"))
WIDE: Final = 110  # cells of a screen with room for all columns


class RunTable(DataTable[Text]):
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
