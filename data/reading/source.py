"""What the user points to (:class:`Dataset`: a file, a folder, or data shipped with Tunewiz), and what is found there.

A :class:`Source` is what discovery found out about a file or folder and reading needs to know; a :class:`Row` is a
record.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import unquote

from tunewiz.data.folders.hub_ids import downloaded, meant_by, on_hub
from tunewiz.problems import BadData, Message, Problem, Where, error, say

SAMPLES: Final = Path(__file__).resolve().parents[1] / "samples"
SAMPLE_PREFIX: Final = "sample:"


@dataclass(frozen=True)
class Dataset:
    """A path and what the user says about it; ``auto`` leaves the choice to discovery.

    ``columns`` maps a role (query, positive, ...) to a column name; several columns for one role are joined by commas.
    ``labels`` says what each label is worth, whatever end is right; ``roles`` who speaks in conversations, name to part
    (``{"客服": "assistant"}``).
    ``limit`` counts rows that are read, from the top of the file. ``like`` is data probably laid out the same way: what
    the user said of its columns and format holds here too if all those columns are there. ``weight`` says how many of
    its rows are drawn where it is one of several (1: all); ``subset`` which configuration of a hub's dataset is meant.
    """

    path: str
    format: str = "auto"
    split: str = "auto"
    columns: Mapping[str, str] = field(default_factory=dict)
    encoding: str = "auto"
    delimiter: str = "auto"
    header: Literal["auto", "yes", "no"] = "auto"
    limit: int | None = None
    like: Dataset | None = None
    labels: Mapping[str, float] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    weight: float = 1.0
    subset: str = ""

    def at(self, path: str) -> Dataset:
        """The same, said of another path."""
        return replace(self, path=path)


def samples(conversations: bool | None = None) -> tuple[str, ...]:
    """The names that ``sample:NAME`` takes, sorted; with ``conversations`` given, those that hold them or do not.

    Folders are test collections, for retrieval; files hold rows for language models.
    """
    if not SAMPLES.is_dir():
        return ()
    found = (entry for entry in SAMPLES.iterdir() if not entry.name.startswith((".", "_")))
    fitting = (entry for entry in found if conversations in (None, entry.is_file()))
    return tuple(sorted(entry.name.split(".")[0] if entry.is_file() else entry.name for entry in fitting))


def sheet_of(path: str) -> tuple[str, str]:
    """The file and the sheet that ``book.xlsx#Sheet 2`` names; the sheet is empty where none is named."""
    file, mark, sheet = path.rpartition("#")
    return (file, sheet) if mark and file.casefold().endswith((".xlsx", ".xlsm", ".xlsx.gz")) else (path, "")


def resolve(path: str) -> Path:
    """The file or folder that ``path`` names: relative to the current directory, ``sample:NAME``, or of a hub.

    A sheet named behind it (``book.xlsx#Sheet 2``) is not part of the result.

    Raises :class:`BadData` (``unknown-sample``, ``file-not-found``) with the nearest existing name.
    """
    if path.startswith(SAMPLE_PREFIX):
        return _sample(path.removeprefix(SAMPLE_PREFIX))
    if on_hub(path):
        return downloaded(path)
    try:
        found = Path(path).expanduser()
        if not found.exists():
            found = Path(sheet_of(path)[0]).expanduser()
        exists = bool(path) and found.exists()
    except (OSError, ValueError, RuntimeError):  # a name too long, a NUL in it, or ~unknown-user
        exists = False
    if exists:
        return found
    raise BadData(
        error(
            "file-not-found",
            say("There is no such file or folder.")
            if Path(path).is_absolute()
            else say("There is no such file or folder, seen from {folder}.", folder=str(Path.cwd())),
            Where(file=path),
            _way_out(path),
        )
    )


def _sample(name: str) -> Path:
    known = samples()
    name, _, inside = name.partition("/")
    if name in known:
        folder = SAMPLES / name
        found = folder if folder.exists() else next(SAMPLES.glob(f"{name}.*"))
        if (found / inside).exists() and ".." not in inside.split("/"):
            return found / inside if inside else found
    # Samples are few and unlike each other, so that half a name is enough; siblings of a file below may be thousands.
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    fix = say("Did you mean {name}?", name=SAMPLE_PREFIX + near[0]) if near else None
    message = say("There is no sample named {name}; there are: {known}.", name=name, known=tuple(known))
    raise BadData(error("unknown-sample", message, Where(file=SAMPLE_PREFIX + name), fix))


_ADDRESS: Final = re.compile(r"(?i)([a-z][a-z0-9+.-]+)://")
_OTHER_SYSTEM: Final = re.compile(r"[A-Za-z]:[\\/]|\\\\")


def _way_out(path: str) -> Message:
    """What may have been meant by a path where nothing is."""
    path = path.strip().strip("'\"")
    meant = meant_by(path)
    if len(meant) == 1:
        return say("Did you mean {name}?", name=meant[0])
    if path.startswith("file://"):
        return say("Did you mean {name}?", name=unquote(path.removeprefix("file://")))
    if _ADDRESS.match(path):
        return say("Addresses are not read: bring the file here first, for example with wget or curl -O.")
    if _OTHER_SYSTEM.match(path):
        return say("This is a path of another computer: bring the file here first, for example with scp.")
    usual = say("Check the path: in a preset it is seen from the preset's folder, in a command from where that runs.")
    if meant:
        usual = say("Check the path, or name the hub of the dataset: {names}.", names=meant)
    try:
        folder = Path(path).expanduser().parent
        names = [entry.name for entry in folder.iterdir()]
    except (OSError, ValueError, RuntimeError):
        return usual
    near = [Path(path).name] if Path(path).name in names else difflib.get_close_matches(Path(path).name, names, n=1)
    return say("Did you mean {name}?", name=str(folder / near[0])) if near else usual


# What discovery found out about a file or folder, and what reading needs to know.


#: ``files`` are read one after another, of ``texts`` each file is a row; ``beir`` has parts that are no rows.
Container = Literal[
    "csv",
    "tsv",
    "json",
    "jsonl",
    "parquet",
    "xlsx",
    "html",
    "yaml",
    "xml",
    "arrow",
    "chat",
    "sql",
    "files",
    "texts",
    "beir",
]
#: How one JSON object holds all rows: see :mod:`tunewiz.data.reading.json_document`; "" where it does not.
Shape = Literal["", "columns", "cells", "split", "objects", "entries"]
Compression = Literal["", "gz", "bz2", "xz", "zip"]
Quoting = Literal["", "doubled", "backslash", "none"]
Newline = Literal["", "LF", "CRLF", "CR", "mixed"]
EncodingBasis = Literal["", "given", "bom", "ascii", "strict", "plausible", "uncertain"]


@dataclass(frozen=True)
class Span:
    """A part of a file: bytes from ``start`` to before ``end``, the first of which begins the line ``first_line``."""

    start: int
    end: int
    first_line: int


@dataclass(frozen=True)
class Source:
    """A file (or the three files of a BEIR folder) with everything that was detected or given.

    ``name`` is the path as the user wrote it and stands in every :class:`Where`. ``csv`` covers any one-character
    ``delimiter``; ``tsv`` is the same with a tab. ``columns`` are the names found: the header, ``column_1`` ... without
    one, or the keys of the first objects in order of appearance. ``shape``: how one JSON object
    holds all rows. ``skip_lines`` stand before the table and are no part of it; ``heading`` records are the header:
    groups of columns, their names, units. ``span`` is the part of the file that is read, where it is not the whole.
    ``layout`` is the program's or benchmark's way of writing whose rows are brought into plain ones
    (:mod:`tunewiz.data.exports`), "" where they are read as they are.
    ``speakers`` is what the user says of who speaks in conversations, name to part; ``keys`` are fields of their turns
    by other names than the usual ones, name to usual name.
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
    heading: int = 1
    columns: tuple[str, ...] = ()
    rows_under: str = ""
    shape: Shape = ""
    layout: str = ""
    sheet: str = ""
    size: int = 0
    mapping: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, float] = field(default_factory=dict)
    speakers: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    format: str = "auto"
    split: str = "auto"
    limit: int | None = None
    splits: tuple[str, ...] = ()
    parts: Mapping[str, Source] = field(default_factory=dict)
    notes: tuple[Problem, ...] = ()
    span: Span | None = None

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


def plain_row(line: int, values: dict[str, Any]) -> Row:
    """``Row(line, values)``, made in a third of the time: of a million rows each microsecond counts."""
    row = Row.__new__(Row)
    row.__dict__.update(line=line, values=values)
    return row
