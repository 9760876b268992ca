"""Reading records from any container as a stream; whatever is wrong is reported with its line and reading goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from data.problems import Problem
from data.source import Row, Source

Report = Callable[[Problem], None]

__all__ = ["Report", "Row", "read"]


def read(source: Source, report: Report) -> Iterator[Row]:
    """The records of ``source`` (at most ``source.limit``), in file order.

    Damage that can be mended without guessing (trailing comma, two objects on a line, a raw newline in a string, NaN,
    single quotes) is a warning and the record is yielded; a record that cannot be read is an error and is left out.
    """
    raise NotImplementedError
