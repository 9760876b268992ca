"""Parquet, read batch by batch."""

from __future__ import annotations

import contextlib
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
            for batch in _opened(stream, source).iter_batches(batch_size=_BATCH):
                for values in batch.to_pylist():
                    number += 1
                    yield Row(number, values)
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError, ValueError, OverflowError) as reason:
            message = say("The file is damaged and could be read only up to here: {reason}.", reason=reason)
            report(error("damaged-file", message, source.at(number + 1), say("Copy or download it again.")))


def columns(source: Source, report: Report) -> tuple[str, ...]:
    """The names of the columns. Raises :class:`BadData` when the file is no parquet."""
    with seekable(source, report) as stream:
        return tuple(map(str, _opened(stream, source).schema_arrow.names))


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
