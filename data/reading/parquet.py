"""Parquet, read batch by batch."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from typing import IO, Any, Final

from tunewiz.data.reading.source import Row, Source
from tunewiz.data.reading.streams import open_bytes, report_damage
from tunewiz.problems import BadData, Report, error, say

#: Rows turned into Python at once. A row group, the file's own unit, may hold a million and gigabytes of text.
_BATCH: Final = 1_000


def records(source: Source, report: Report) -> Iterator[Row]:
    """Rows of a parquet file; ``line`` is the number of the row from 1."""
    import pyarrow

    with seekable(source, report) as stream:
        number = 0
        try:
            opened = _opened(stream, source)
            names = class_names(opened.schema_arrow.metadata)
            for batch in opened.iter_batches(batch_size=_BATCH):
                for values in batch.to_pylist():
                    number += 1
                    yield Row(number, named(values, names))
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError, ValueError, OverflowError) as reason:
            message = say("The file is damaged and could be read only up to here: {reason}.", reason=reason)
            report(error("damaged-file", message, source.at(number + 1), say("Copy or download it again.")))


def columns(source: Source, report: Report) -> tuple[str, ...]:
    """The names of the columns. Raises :class:`BadData` when the file is no parquet."""
    with seekable(source, report) as stream:
        return tuple(map(str, _opened(stream, source).schema_arrow.names))


def class_names(metadata: Any) -> dict[str, list[str]]:
    """The names behind the numbers of what 🤗 datasets calls ClassLabel, by column; from a schema's metadata."""
    try:
        info = json.loads((metadata or {}).get(b"huggingface", b"{}"))
        return names_of_features(info.get("info", {}).get("features", {}))
    except (ValueError, AttributeError):
        return {}


def names_of_features(features: Any) -> dict[str, list[str]]:
    """The names of ClassLabel columns in the description of features that 🤗 datasets writes."""
    found: dict[str, list[str]] = {}
    for column, feature in features.items() if isinstance(features, dict) else ():
        inner = feature.get("feature", feature) if isinstance(feature, dict) else {}
        names = inner.get("names") if isinstance(inner, dict) else None
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            found[column] = names
    return found


def named(values: dict[str, Any], names: dict[str, list[str]]) -> dict[str, Any]:
    """A row with the names of its classes instead of their numbers; -1, which means none, becomes None."""
    for column, known in names.items():
        if column in values:
            values[column] = _name(values[column], known)
    return values


def _name(value: Any, known: list[str]) -> Any:
    if isinstance(value, list):
        return [_name(item, known) for item in value]
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    return known[value] if 0 <= value < len(known) else None if value < 0 else value


def _opened(stream: IO[bytes], source: Source) -> Any:
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(stream)
    except (pyarrow.ArrowException, OSError, ValueError) as reason:
        message = say("The file is named or marked as parquet but cannot be opened as such: {reason}.", reason=reason)
        raise BadData(error("damaged-file", message, source.at(), say("Copy or download it again."))) from None


@contextlib.contextmanager
def seekable(source: Source, report: Report) -> Iterator[IO[bytes]]:
    """The bytes of ``source`` for readers that jump about: a compressed file is unpacked to a temporary one first."""
    if not source.compression:
        with source.path.open("rb") as plain:
            yield plain
        return
    stream, raw = open_bytes(source.path, source.compression)
    with stream, tempfile.TemporaryFile() as unpacked:
        shutil.copyfileobj(stream, unpacked)
        report_damage(raw, source, report)
        unpacked.seek(0)
        yield unpacked
