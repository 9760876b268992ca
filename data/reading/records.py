"""Reading records from any container as a stream; whatever is wrong is reported with its line and reading goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from itertools import islice
from typing import Any, Final

from tunewiz.data.reading.source import Row, Source
from tunewiz.data.reading.streams import open_bytes
from tunewiz.problems import BadData, Report, error, say, warning

__all__ = ["Report", "Row", "first_unfolded", "read"]

_READERS: Final = {
    "csv": "reading.delimited",
    "tsv": "reading.delimited",
    "json": "reading.json_document",
    "jsonl": "reading.jsonl",
    "parquet": "reading.parquet",
    "xlsx": "reading.xlsx",
    "html": "documents.html_tables",
    "yaml": "documents.yaml_rows",
    "xml": "documents.xml_rows",
    "arrow": "folders.saved",
    "sql": "exports.sql_dumps",
    "chat": "exports.saved_chats",
    "texts": "folders.class_folders",
}


def read(source: Source, report: Report) -> Iterator[Row]:
    """The records of ``source`` (at most ``source.limit``), in file order.

    Damage that can be mended without guessing (trailing comma, two objects on a line, a raw newline in a string, NaN,
    single quotes) is a warning and the record is yielded; a record that cannot be read is an error and is left out.
    """
    if source.container == "beir":
        message = say("A test collection has no rows of its own.")
        raise BadData(error("no-rows", message, source.at(), say("Read its corpus, queries or qrels.")))
    if source.container == "files":
        return islice(_one_after_another(source, report), source.limit)
    records: Callable[[Source, Report], Iterator[Row]] = import_module(
        f"tunewiz.data.{_READERS[source.container]}"
    ).records
    rows = records(source, report)
    if source.layout and source.container != "chat":
        rows = import_module("tunewiz.data.exports.known").plain_rows(source, rows, report)
    rows = islice(rows, source.limit)
    if source.keys:
        rows = (replace(row, values={name: _renamed(value, source.keys) for name, value in row.values.items()})
                for row in rows)  # fmt: skip
    return _by_number(rows) if source.container == "json" and _is_one_line(source) else rows


def _renamed(value: Any, keys: Mapping[str, str]) -> Any:
    """What lies in a cell, with the fields of turns under their usual names."""
    if isinstance(value, dict):
        return {keys.get(name, name): _renamed(held, keys) for name, held in value.items()}
    return [_renamed(item, keys) for item in value] if isinstance(value, list) else value


#: A file that unfolds to so many characters and so many times its own size repeats itself: its first rows tell enough.
_UNFOLDED: Final = 16 << 20
_TIMES: Final = 50


def first_unfolded(source: Source, rows: Iterable[Row], report: Report) -> Iterator[Row]:
    """``rows``; of a small file that unfolds to gigabytes only the first, which is reported.

    A parquet of a kilobyte may hold 200,000 rows of 10,000 characters, and so may an archive.
    """
    packed = source.container in ("parquet", "arrow", "xlsx") or bool(source.compression)
    return _first_unfolded(source, rows, report) if packed and source.size else iter(rows)


def _first_unfolded(source: Source, rows: Iterable[Row], report: Report) -> Iterator[Row]:
    limit = max(_UNFOLDED, _TIMES * source.size)
    characters = 0
    for number, row in enumerate(rows, 1):
        yield row
        characters += _characters(row.values)
        if characters > limit:
            message = say(
                "The file unfolds to more than {times} times its size: what is told is of the first {rows} rows.",
                times=characters // source.size,
                rows=number,
            )
            fix = say("If it should not repeat itself so much, see how it was written.")
            report(warning("first-rows-only", message, source.at(row.line), fix))
            return


def _characters(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_characters, value.values()))
    return sum(map(_characters, value)) if isinstance(value, (list, tuple)) else 1


def _one_after_another(source: Source, report: Report) -> Iterator[Row]:
    """The rows of all parts, which go by their number in the whole."""
    number = 0
    for part in source.parts.values():
        for row in read(part.altered(limit=None), report):
            number += 1
            yield replace(row, line=number)


def _is_one_line(source: Source) -> bool:
    """Whether the document's beginning has no line end, as most programs write JSON."""
    stream, _ = open_bytes(source.path, source.compression)
    with stream:
        return b"\n" not in stream.read(1 << 16).rstrip()  # indented JSON has a line end before its first row


def _by_number(rows: Iterator[Row]) -> Iterator[Row]:
    """Rows that all stand on line 1 go by their number instead, or no finding would name its place."""
    return (replace(row, line=number) for number, row in enumerate(rows, 1))
