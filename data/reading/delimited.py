"""CSV, TSV and relatives: records with the physical line they start on, whatever the delimiter and quoting.

Quotes count only where a field begins (RFC 4180). A quote that is never closed would swallow the rest of the file, so
a record that grows too long, or comes out ragged over several lines, is taken apart again from its second line.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from tunewiz.data.reading.columns import normalise_name
from tunewiz.data.reading.source import Quoting, Row, Source
from tunewiz.data.reading.streams import lines
from tunewiz.problems import Problem, Report, error, say, warning

_QUOTE: Final = '"'
#: A record longer than this is a quote that was never closed: 2,000 lines and 4 Mi characters are more than any
#: document in a cell, and what is held in memory and read again from its second line.
_RECORD_LINES: Final = 2_000
_RECORD_CHARACTERS: Final = 4 << 20
csv.field_size_limit(64 << 20)  # Python's default refuses documents of more than 131,072 characters


@dataclass(frozen=True)
class Dialect:
    """How fields are told apart. ``skip_space`` drops blanks after a delimiter (``a, "b"``)."""

    delimiter: str
    quoting: Quoting = "doubled"
    skip_space: bool = False

    @property
    def padded(self) -> bool:
        """Whether people put blanks around the delimiter, as in tables of Markdown and around ``=>``."""
        return self.delimiter == "|" or len(self.delimiter) > 1


@dataclass(frozen=True)
class Record:
    """Cells of a record. ``line`` is where it starts, ``height`` how many lines it takes; ``open`` = unclosed quote."""

    line: int
    cells: list[str]
    height: int = 1
    open: bool = False


def split_records(numbered: Iterable[tuple[int, str]], dialect: Dialect, width: int = 0) -> Iterator[Record]:
    """Records of ``numbered`` lines. With ``width`` > 0 a ragged record of several lines is taken apart where that
    gives a record of the right width on its second line. Memory: one record, at most 4 Mi characters.
    """
    source = iter(numbered)
    waiting: deque[tuple[int, str]] = deque()
    while True:
        gathered, is_open = _gather(source, waiting, dialect)
        if not gathered:
            return
        line = gathered[0][0]
        record = Record(line, parse("".join(text for _, text in gathered), dialect), len(gathered), is_open)
        apart = len(gathered) > 1 and (
            is_open or _swallowed(gathered, dialect) or _better_apart(record, gathered, dialect, width)
        )
        if apart:
            waiting.extendleft(reversed(gathered[1:]))
            record = Record(line, parse(gathered[0][1], dialect), 1, True)
        yield record


def _gather(
    source: Iterator[tuple[int, str]], waiting: deque[tuple[int, str]], dialect: Dialect
) -> tuple[list[tuple[int, str]], bool]:
    """The lines of the next record, and whether it ended inside a quote."""
    gathered: list[tuple[int, str]] = []
    is_open, size = False, 0
    while True:
        item = waiting.popleft() if waiting else next(source, None)
        if item is None:
            return gathered, is_open
        gathered.append(item)
        size += len(item[1])
        is_open = ends_open(item[1], dialect, is_open)
        if not is_open or len(gathered) >= _RECORD_LINES or size >= _RECORD_CHARACTERS:
            return gathered, is_open


def _swallowed(gathered: list[tuple[int, str]], dialect: Dialect) -> bool:
    """Whether a quoted cell of several lines ends in the middle of a line's text: two stray quotes, rows between them.

    What opens at ``q1,"so`` and closes at ``q9,"thus`` would else be one cell that holds seven rows, and nobody told.
    """
    text, position = "".join(line for _, line in gathered), 0
    while True:
        while dialect.skip_space and text[position : position + 1] == " ":
            position += 1
        if text[position : position + 1] == _QUOTE:
            end = _closing(text, position + 1, dialect)
            after = text[end:].lstrip(" ")[:1] if end >= 0 else ""
            if "\n" in text[position:end] and after and after not in (dialect.delimiter, "\r", "\n"):
                return True
            position = max(position + 1, end)
        position = text.find(dialect.delimiter, position) + 1
        if not position:
            return False


def _better_apart(record: Record, gathered: list[tuple[int, str]], dialect: Dialect, width: int) -> bool:
    if not width or len(record.cells) == width:
        return False
    return not ends_open(gathered[1][1], dialect, False) and len(parse(gathered[1][1], dialect)) == width > 1


def ends_open(text: str, dialect: Dialect, inside: bool) -> bool:
    """Whether a quoted field is still open at the end of ``text``; ``inside`` says whether one was at its start."""
    if dialect.quoting == "none" or (not inside and _QUOTE not in text):
        return False
    position = 0
    while True:
        if inside:
            position = _closing(text, position, dialect)
            if position < 0:
                return True
        else:
            while dialect.skip_space and text[position : position + 1] == " ":
                position += 1
            if text[position : position + 1] == _QUOTE:
                inside, position = True, position + 1
                continue
        inside = False
        position = text.find(dialect.delimiter, position) + 1
        if not position:
            return False


def _closing(text: str, position: int, dialect: Dialect) -> int:
    """Where the text after the closing quote begins, or -1."""
    while True:
        end = text.find(_QUOTE, position)
        if end < 0:
            return -1
        if dialect.quoting == "backslash" and (end - len(text[:end].rstrip("\\"))) % 2:
            position = end + 1
        elif text[end + 1 : end + 2] == _QUOTE:
            position = end + 2
        else:
            return end + 1


def parse(text: str, dialect: Dialect) -> list[str]:
    """The cells of one record; a stray carriage return inside it becomes a space."""
    body = text.rstrip("\r\n")
    if dialect.quoting == "none":
        cells = body.split(dialect.delimiter)
        return [cell.strip(" ") for cell in cells] if dialect.padded else cells
    if _QUOTE not in body:
        cells = body.split(dialect.delimiter)
        if dialect.padded:
            return [cell.strip(" ") for cell in cells]
        return [cell.lstrip(" ") for cell in cells] if dialect.skip_space else cells
    # csv takes a lone carriage return outside quotes for a mistake of its caller
    text = body.replace("\r\n", "\n").replace("\r", " ") if "\r" in body else body
    backslash = dialect.quoting == "backslash"
    reader = csv.reader(
        [text],
        delimiter=dialect.delimiter,
        doublequote=not backslash,
        escapechar="\\" if backslash else None,
        skipinitialspace=dialect.skip_space,
    )
    try:
        return next(reader, [])
    except csv.Error:  # a record that csv refuses still has cells
        return body.split(dialect.delimiter)


def dialect_of(source: Source) -> Dialect:
    """The dialect that discovery found."""
    return Dialect(source.delimiter or ",", source.quoting or "doubled", source.skip_space)


def records(source: Source, report: Report) -> Iterator[Row]:
    """Rows of a delimited file as text cells by column name."""
    headings = Headings(source, report)
    begun = source.span is not None and source.span.start > 0
    if begun:
        headings.read()
    inside = islice(lines(source, report), 0 if begun else source.skip_lines, None)
    for record in split_records(inside, dialect_of(source), len(source.columns)):
        cells = [cell.strip() for cell in record.cells]
        if not any(cells):
            report(_blank(source, record.line))
        elif not headings.take(record.line, cells):
            row = _row(source, record, headings.columns, report)
            if row is not None:
                yield row


class Headings:
    """The records of a header at the top of a table, and again where files were put behind one another."""

    def __init__(self, source: Source, report: Report) -> None:
        #: What the cells of a row belong to, as the last header has it.
        self.columns = source.columns
        self._source = source
        self._report = report
        self._seen: list[tuple[str, ...]] = []
        self._longest = 0

    def read(self) -> None:
        """Take the header from the beginning of the file, of which a later part is read."""
        whole = self._source.altered(span=None)
        inside = islice(lines(whole, lambda _problem: None), whole.skip_lines, None)
        for record in split_records(inside, dialect_of(whole), len(whole.columns)):
            cells = [cell.strip() for cell in record.cells]
            if len(self._seen) >= (whole.heading if whole.header else 0):
                return
            if any(cells):
                self.take(record.line, cells)

    def take(self, line: int, cells: Sequence[str]) -> bool:
        """Whether a record that is not blank belongs to a header and so is no row."""
        if self._source.header and len(self._seen) < self._source.heading:
            self._seen.append(_plain(cells))
            # Other blanks and marks around the same names are a few characters.
            self._longest = max(self._longest, 2 * sum(map(len, cells)) + 8)
            return True
        if not self._seen or sum(map(len, cells)) > self._longest:
            return False
        plain, first = _plain(cells), self._seen[0]
        if plain in self._seen:
            if plain == first:
                self.columns = self._source.columns
            message = say("The header line is repeated; it is left out.")
        elif self._source.heading == 1 and sorted(plain) == sorted(first) and len(set(plain)) == len(plain) > 1:
            self.columns = tuple(self._source.columns[first.index(name)] for name in plain)
            message = say("The header line is repeated in another order, which the rows below it are read in.")
        else:
            return False
        self._report(warning("repeated-header", message, self._source.at(line)))
        return True


def _plain(cells: Sequence[str]) -> tuple[str, ...]:
    """Names as they are compared, without the empty ones at the end."""
    names = [normalise_name(cell) for cell in cells]
    while names and not names[-1]:
        names.pop()
    return tuple(names)


def _row(source: Source, record: Record, columns: Sequence[str], report: Report) -> Row | None:
    cells, width = record.cells, len(source.columns)
    if record.open:
        report(_unclosed(source, record.line))
        return None
    if len(cells) > width and any(cell.strip() for cell in cells[width:]):
        report(_ragged(source, record, width))
        return None
    if len(cells) < width:
        report(_ragged(source, record, width))
    padded = [*cells, *[""] * (width - len(cells))]
    return Row(record.line, dict(zip(columns, padded, strict=False)))


def _ragged(source: Source, record: Record, width: int) -> Problem:
    found = len(record.cells)
    where = source.at(record.line)
    if found < width:
        message = say("{found} cells where the file has {width} columns; the rest is empty.", found=found, width=width)
        return warning("ragged-row", message, where)
    message = say("{found} cells where the file has {width} columns; the row is left out.", found=found, width=width)
    fix = say("Put cells that contain {delimiter} in double quotes.", delimiter=delimiter_name(source.delimiter))
    return error("ragged-row", message, where, fix)


def delimiter_name(delimiter: str) -> object:
    """A delimiter as a person reads it."""
    return say("a tab") if delimiter == "\t" else delimiter


def _unclosed(source: Source, line: int) -> Problem:
    message = say("A double quote opens a cell and is never closed; the line is left out.")
    return error("unclosed-quote", message, source.at(line), say("Close it, or double quotes that belong to the text."))


def _blank(source: Source, line: int) -> Problem:
    return warning("blank-line", say("The row is blank."), source.at(line))
