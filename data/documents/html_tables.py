"""Tables of HTML pages: what offices and databases save as ``.html``, and as ``.xls`` that is none."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Final

from tunewiz.data.reading.delimited import Headings
from tunewiz.data.reading.source import Row, Source
from tunewiz.data.reading.streams import lines
from tunewiz.problems import Report

#: What ends a line inside a cell.
_BREAKS: Final = frozenset(("br", "p", "div", "li", "tr"))
_UNSEEN: Final = frozenset(("script", "style"))
_MOST: Final = 1000  # rows or columns that one cell may say it goes over


def records(source: Source, report: Report) -> Iterator[Row]:
    """Rows of the largest table of the page; ``line`` counts its rows from 1."""
    headings = Headings(source, report)
    for number, cells in table_rows(source, report):
        if number <= source.skip_lines or headings.take(number, cells):
            continue
        padded = [*cells, *[""] * (len(source.columns) - len(cells))]
        yield Row(number, dict(zip(headings.columns, padded, strict=False)))


def table_rows(source: Source, report: Report) -> list[tuple[int, list[str]]]:
    """The rows of the largest table that are not blank, with their numbers from 1; none where the page has none.

    A cell that goes over several rows stands in each; of one that goes over several columns the others are empty.
    """
    page = _Page()
    for _, text in lines(source, report):
        page.feed(text)
    page.close()
    largest = max(page.tables, key=lambda table: sum(len(row) > 1 for row in table), default=[])
    return [(number, row) for number, row in enumerate(largest, 1) if any(row)]


class _Page(HTMLParser):
    """All tables of a page; of one inside another the text is part of no cell."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[list[str]]] = []
        self._open: list[_Table] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a table, a row, a cell, or a line inside one."""
        self._hidden += tag in _UNSEEN
        if tag == "table":
            self._open.append(_Table())
            self.tables.append(self._open[-1].rows)
        elif self._open and tag == "tr":
            self._open[-1].begin_row()
        elif self._open and tag in ("td", "th"):
            told = dict(attrs)
            self._open[-1].begin_cell(_count(told.get("rowspan")), _count(told.get("colspan")))
        elif self._open and tag in _BREAKS:
            self._open[-1].add("\n")

    def handle_endtag(self, tag: str) -> None:
        """End what was begun; rows and cells end where the next begins, too."""
        self._hidden -= tag in _UNSEEN and self._hidden > 0
        if not self._open:
            return
        if tag == "table":
            self._open.pop().end()
        elif tag in ("td", "th"):
            self._open[-1].end_cell()
        elif tag == "tr":
            self._open[-1].end_row()
        elif tag in _BREAKS:
            self._open[-1].add("\n")

    def handle_data(self, data: str) -> None:
        """Text of the cell that is open."""
        if self._open and not self._hidden:
            self._open[-1].add(" ".join(data.split()) + " " * data[-1:].isspace() if data.strip() else " ")

    def close(self) -> None:
        """End what the page left open."""
        super().close()
        while self._open:
            self._open.pop().end()


class _Table:
    """A table as it is read."""

    def __init__(self) -> None:
        self.rows: list[list[str]] = []
        self._row: list[str] | None = None
        self._cell: list[str] | None = None
        self._spans = (1, 1)
        self._down: dict[int, tuple[int, str]] = {}  # column: rows that a cell above still goes over, and its text

    def begin_row(self) -> None:
        self.end_row()
        self._row = []

    def begin_cell(self, down: int, across: int) -> None:
        self.end_cell()
        if self._row is None:
            self._row = []
        self._fill()
        self._cell, self._spans = [], (down, across)

    def add(self, text: str) -> None:
        if self._cell is not None:
            self._cell.append(text)

    def end_cell(self) -> None:
        if self._cell is None or self._row is None:
            return
        text = "\n".join(filter(None, (line.strip() for line in "".join(self._cell).split("\n"))))
        down, across = self._spans
        if down > 1:
            self._down[len(self._row)] = (down - 1, text)
        self._row += [text, *[""] * (across - 1)]
        self._cell = None

    def end_row(self) -> None:
        self.end_cell()
        if self._row is not None:
            self._fill()
            self.rows.append(self._row)
            self._row = None

    def end(self) -> None:
        self.end_row()

    def _fill(self) -> None:
        """Cells from above that stand at the end of the row so far."""
        assert self._row is not None
        while (column := len(self._row)) in self._down:
            left, text = self._down.pop(column)
            self._row.append(text)
            if left > 1:
                self._down[column] = (left - 1, text)


def _count(text: str | None) -> int:
    return min(int(text), _MOST) if text and text.strip().isdecimal() and int(text) > 0 else 1
