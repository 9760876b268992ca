"""The layout of a table: delimiter, quoting, header line and column names, each told where it was a choice."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from data.dataset import Dataset
from data.problems import BadData, Message, Problem, Where, error, note, say, warning
from data.reading.delimited import Record, delimiter_name
from data.reading.dialect import has_header, sniff
from data.source import Source

#: The line with which Excel is told the delimiter.
_DIRECTIVE: Final = re.compile(r"sep=([,;|\t:~^])\s*$", re.IGNORECASE)
_NAMED_DELIMITERS: Final = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}


def delimited_layout(source: Source, peeked: Sequence[tuple[int, str]], dataset: Dataset) -> Source:
    """``source`` with delimiter, quoting, header and columns. ``peeked`` are its first physical lines."""
    given = _delimiter(dataset, source)
    directive = _DIRECTIVE.match(peeked[0][1])
    if directive:
        given = directive.group(1) if given == "auto" else given
        peeked = peeked[1:]
    hint = "\t" if any(suffix.casefold() in (".tsv", ".tab") for suffix in source.path.suffixes) else ","
    found = sniff(_whole_records(peeked), given, hint)
    delimiter = found.dialect.delimiter
    notes: list[Problem] = []
    if given == "auto" and delimiter not in (",", "\t"):
        told = say("The cells are separated by {delimiter}.", delimiter=delimiter)
        notes.append(note("delimiter-detected", told, source.at()))
    elif (
        given == "auto" and delimiter != hint and found.width > 1 and source.path.suffix.casefold() in (".csv", ".tsv")
    ):
        told = say("The cells are separated by {delimiter}, unlike the name says.", delimiter=delimiter_name(delimiter))
        notes.append(note("delimiter-detected", told, source.at()))
    source = source.altered(
        container="tsv" if delimiter == "\t" else "csv",
        delimiter=delimiter,
        quoting=found.dialect.quoting,
        skip_space=found.dialect.skip_space,
        skip_lines=peeked[0][0] - 1 if peeked else 0,
        newline=_record_newline(source, peeked, found.records),
        notes=(*source.notes, *notes),
    )
    return layout_of(source, [(record.line, record.cells) for record in found.records], dataset.header)


def _delimiter(dataset: Dataset, source: Source) -> str:
    given = _NAMED_DELIMITERS.get(dataset.delimiter, dataset.delimiter)
    if given != "auto" and (len(given) != 1 or given in '"\r\n\0'):
        told = say("A delimiter is one character, not {value}.", value=dataset.delimiter)
        fix = say("Use auto, a comma, tab, semicolon or pipe.")
        raise BadData(error("bad-delimiter", told, Where(key="delimiter", file=source.name), fix))
    return given


def _whole_records(peeked: Sequence[tuple[int, str]]) -> Sequence[tuple[int, str]]:
    """Without the last few lines of a long peek, in which a quoted cell may be cut."""
    size = sum(len(text) for _, text in peeked)
    return peeked if size < 1 << 17 or len(peeked) < 20 else peeked[: -len(peeked) // 10]


def _record_newline(source: Source, peeked: Sequence[tuple[int, str]], records: Sequence[Record]) -> str:
    """Line ends inside quoted cells do not count: the one that ends the first record does."""
    if source.newline != "mixed" or not records:
        return source.newline
    last = records[0].line + records[0].height - 1
    ends = {text.endswith("\r\n") for number, text in peeked if number == last}
    return "CRLF" if ends == {True} else "LF"


def layout_of(source: Source, rows: Sequence[tuple[int, list[str]]], header: str) -> Source:
    """``source`` with header and column names, from its first ``rows`` (line, cells)."""
    records = [Record(line, cells) for line, cells in rows]
    named = has_header(records) if header == "auto" else header == "yes"
    width = _width(records, named)
    notes: list[Problem] = []
    if not named:
        names = [f"column_{index}" for index in range(1, width + 1)]
        if header == "auto":
            notes.append(_no_header(source, names))
    else:
        names = _names(source, records[0].cells[:width] if records else [], width, notes)
    return source.altered(header=named, columns=tuple(names), notes=(*source.notes, *notes))


def _width(records: Sequence[Record], named: bool) -> int:
    """The header's width, or the most usual one; empty cells at the end of every row do not count."""
    if not records:
        return 0
    if named:
        return len(records[0].cells)
    widths = [len(record.cells) for record in records]
    return max(set(widths), key=lambda width: (widths.count(width), width))


def _no_header(source: Source, names: Sequence[str]) -> Problem:
    told = say("The first line looks like data, so the columns are called {names}.", names=", ".join(names))
    return warning(
        "no-header", told, source.at(1), say("If it names the columns, say so (data.header: yes, --header yes).")
    )


def _names(source: Source, cells: Sequence[str], width: int, notes: list[Problem]) -> list[str]:
    names: list[str] = []
    unnamed: list[str] = []
    for index in range(1, width + 1):
        name = cells[index - 1].strip().strip("\ufeff") if index <= len(cells) else ""
        if not name:
            name = f"column_{index}"
            unnamed.append(name)
        elif name in names:
            first, name = name, _free(name, names)
            told = say("Two columns are named {name}; the later one is called {other}.", name=first, other=name)
            notes.append(warning("duplicate-column", told, source.at(1)))
        names.append(name)
    if unnamed:
        notes.append(_unnamed(source, unnamed))
    return names


def _free(name: str, taken: Sequence[str]) -> str:
    number = 2
    while f"{name}.{number}" in taken:
        number += 1
    return f"{name}.{number}"


def _unnamed(source: Source, names: Sequence[str]) -> Problem:
    told: Message = say("Columns without a name are called {names}.", names=", ".join(names))
    return note("unnamed-columns", told, source.at(1))
