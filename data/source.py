"""What discovery found out about a file or folder, and what reading needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from data.problems import Problem, Where

Container = Literal["csv", "tsv", "json", "jsonl", "parquet", "xlsx", "beir"]
Compression = Literal["", "gz", "bz2", "xz"]
Quoting = Literal["", "doubled", "backslash", "none"]
Newline = Literal["", "LF", "CRLF", "CR", "mixed"]
EncodingBasis = Literal["", "given", "bom", "ascii", "strict", "plausible", "uncertain"]


@dataclass(frozen=True)
class Source:
    """A file (or the three files of a BEIR folder) with everything that was detected or given.

    ``name`` is the path as the user wrote it and stands in every :class:`Where`. ``csv`` covers any one-character
    ``delimiter``; ``tsv`` is the same with a tab. ``columns`` are the names found: the header, ``column_1`` ... without
    one, or the keys of the first objects in order of appearance. ``skip_lines`` stand before the table and are no part
    of it.
    """

    path: Path
    name: str
    container: Container
    compression: Compression = ""
    encoding: str = ""
    encoding_basis: EncodingBasis = ""
    confidence: float = 1.0
    newline: Newline = ""
    delimiter: str = ""
    quoting: Quoting = ""
    skip_space: bool = False
    skip_lines: int = 0
    header: bool = False
    columns: tuple[str, ...] = ()
    rows_under: str = ""
    sheet: str = ""
    size: int = 0
    mapping: Mapping[str, str] = field(default_factory=dict)
    format: str = "auto"
    split: str = "auto"
    limit: int | None = None
    splits: tuple[str, ...] = ()
    parts: Mapping[str, Source] = field(default_factory=dict)
    notes: tuple[Problem, ...] = ()

    def at(self, line: int = 0, key: str = "") -> Where:
        """A place in this source."""
        return Where(key=key, file=self.name, line=line)

    def altered(self, **changes: Any) -> Source:
        """A copy with some fields changed."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Row:
    """A record. ``line`` counts physical lines from 1; rows of an xlsx sheet, records of parquet and one-line JSON."""

    line: int
    values: dict[str, Any]
