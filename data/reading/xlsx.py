"""Excel workbooks (.xlsx): the rows of one sheet."""

from __future__ import annotations

import contextlib
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

from tunewiz.data.reading.delimited import Headings
from tunewiz.data.reading.parquet import seekable
from tunewiz.data.reading.source import Row, Source
from tunewiz.problems import BadData, Report, error, say

#: What openpyxl and the XML parser below it raise on damaged workbooks.
_DAMAGE: Final = (
    *(zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, SyntaxError, KeyError, IndexError),
    *(ValueError, TypeError, AttributeError, NotImplementedError, OverflowError),
)


def records(source: Source, report: Report) -> Iterator[Row]:
    """Rows of the sheet; ``line`` is Excel's row number. Cells keep their type (text, number, date, None)."""
    headings = Headings(source, report)
    for number, cells in sheet_rows(source, report):
        if number <= source.skip_lines or headings.take(number, written(cells)):
            continue
        padded = [*cells, *[None] * (len(source.columns) - len(cells))]
        yield Row(number, dict(zip(headings.columns, padded, strict=False)))


def written(cells: Sequence[Any]) -> list[str]:
    """Cells as texts; an empty one is ""."""
    return ["" if cell is None else str(cell).strip() for cell in cells]


def sheet_rows(source: Source, report: Report) -> Iterator[tuple[int, list[Any]]]:
    """Rows of the sheet that are not blank, with Excel's row number."""
    with _workbook(source, report) as book:
        number = 0
        try:
            sheet = book[source.sheet] if source.sheet else book.worksheets[0]
            merged = _merged_down(sheet, source)
            for number, cells in enumerate(sheet.iter_rows(values_only=True), 1):
                if any(cell is not None and str(cell).strip() for cell in cells):
                    yield number, merged.filled(number, list(cells))
        except _DAMAGE as reason:
            message = say("The file is damaged and could be read only up to here: {reason}.", reason=reason)
            report(error("damaged-file", message, source.at(number + 1), say("Save it again from Excel, or as CSV.")))


#: Merged cells stand behind all rows in the file, which has to be unpacked once more to find them.
_SEARCHED: Final = 64 << 20
_MERGE: Final = re.compile(rb'<mergeCell ref="([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})"')


class _Merged:
    """Cells merged over several rows: each row has the value of the first."""

    def __init__(self) -> None:
        self.ranges: list[tuple[int, int, int]] = []  # first row, last row, column from 0
        self._values: dict[tuple[int, int], Any] = {}

    def filled(self, number: int, cells: list[Any]) -> list[Any]:
        """The cells of row ``number``, which come from the top down."""
        for first, last, column in self.ranges:
            if number == first and column < len(cells):
                self._values[first, column] = cells[column]
            elif first < number <= last and (first, column) in self._values:
                cells += [None] * (column + 1 - len(cells))
                cells[column] = self._values[first, column]
        return cells


def _merged_down(sheet: Any, source: Source) -> _Merged:
    """The cells of a sheet that are merged over several rows; none where the file is large or says it otherwise."""
    from openpyxl.utils import column_index_from_string

    found = _Merged()
    archive, path = getattr(sheet.parent, "_archive", None), getattr(sheet, "_worksheet_path", "")
    if archive is None or not path or archive.getinfo(path.lstrip("/")).file_size > _SEARCHED:
        return found
    for left, top, right, bottom in _MERGE.findall(archive.read(path.lstrip("/"))):
        column = column_index_from_string(left.decode()) - 1
        if left == right and int(top) < int(bottom):
            found.ranges.append((int(top), int(bottom), column))
    return found


def sheets(source: Source, report: Report) -> list[str]:
    """The names of the sheets that hold any row. Raises :class:`BadData` when the file is no workbook."""
    with _workbook(source, report) as book:
        try:
            return [sheet.title for sheet in book.worksheets if _has_rows(sheet)]
        except _DAMAGE as reason:
            raise _damaged(source, reason) from None


def _has_rows(sheet: Any) -> bool:
    # Fifty: Excel writes up to a million blank rows where somebody once formatted a whole column.
    return any(cell is not None for cells in sheet.iter_rows(max_row=50, values_only=True) for cell in cells)


@contextlib.contextmanager
def _workbook(source: Source, report: Report) -> Iterator[Any]:
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    with seekable(source, report) as stream:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about styles and extensions that hold no data
                book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
        except (*_DAMAGE, InvalidFileException) as reason:
            raise _damaged(source, reason) from None
        try:
            yield book
        finally:
            book.close()


def _damaged(source: Source, reason: Exception) -> BadData:
    message = say(
        "The file is named or marked as an Excel workbook but cannot be opened as such: {reason}.", reason=reason
    )
    return BadData(error("damaged-file", message, source.at(), say("Save it again from Excel, or as CSV.")))
