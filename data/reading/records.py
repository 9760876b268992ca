"""Reading records from any container as a stream; whatever is wrong is reported with its line and reading goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from itertools import islice
from typing import Final

from tunewiz.data.reading.source import Row, Source
from tunewiz.data.reading.streams import open_bytes
from tunewiz.problems import BadData, Report, error, say

__all__ = ["Report", "Row", "read"]

_READERS: Final = {
    "csv": "reading.delimited",
    "tsv": "reading.delimited",
    "json": "reading.json_document",
    "jsonl": "reading.jsonl",
    "parquet": "reading.parquet",
    "xlsx": "reading.xlsx",
    "arrow": "folders.saved",
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
    rows = islice(records(source, report), source.limit)
    return _by_number(rows) if source.container == "json" and _is_one_line(source) else rows


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
