"""Excel workbooks (.xlsx): the rows of one sheet."""

from __future__ import annotations

import contextlib
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, Final

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
    heading = source.header
    for number, cells in sheet_rows(source, report):
        if heading:
            heading = False
            continue
        padded = [*cells, *[None] * (len(source.columns) - len(cells))]
        yield Row(number, dict(zip(source.columns, padded, strict=False)))


def sheet_rows(source: Source, report: Report) -> Iterator[tuple[int, list[Any]]]:
    """Rows of the sheet that are not blank, with Excel's row number."""
    with _workbook(source, report) as book:
        number = 0
        try:
            sheet = book[source.sheet] if source.sheet else book.worksheets[0]
            for number, cells in enumerate(sheet.iter_rows(values_only=True), 1):
                if any(cell is not None and str(cell).strip() for cell in cells):
                    yield number, list(cells)
        except _DAMAGE as reason:
            message = say("The file is damaged and could be read only up to here: {reason}.", reason=reason)
            report(error("damaged-file", message, source.at(number + 1), say("Save it again from Excel, or as CSV.")))


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
