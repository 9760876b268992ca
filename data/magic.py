"""Files known by their first bytes, and files that no reader can take."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal

from data.problems import BadData, Message, Where, error, say

_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_AS_XLSX: Final = say("Save it as .xlsx or .csv.")
_UNPACK: Final = say("Unpack it first and give the file inside.")
_CONVERT: Final = say("Convert it to parquet, JSON Lines or CSV.")

#: First bytes -> what it is, what to do.
_REFUSED: Final[tuple[tuple[bytes, Message, Message], ...]] = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", say("This is an old Excel or Word file (.xls, .doc)."), _AS_XLSX),
    (b"%PDF-", say("This is a PDF."), say("Extract its text into a table with a query and an answer a row.")),
    (b"7z\xbc\xaf\x27\x1c", say("This is a 7z archive."), _UNPACK),
    (b"Rar!", say("This is a RAR archive."), _UNPACK),
    (b"\x28\xb5\x2f\xfd", say("This is a zstd archive."), _UNPACK),
    (b"SQLite format 3\0", say("This is a SQLite database."), _CONVERT),
    (b"ARROW1", say("This is an Arrow (Feather) file."), _CONVERT),
    (b"\xff\xff\xff\xff", say("This is an Arrow stream."), _CONVERT),
    (b"\x80\x04\x95", say("This is a Python pickle."), _CONVERT),
    (b"\x89HDF", say("This is an HDF5 file."), _CONVERT),
)


def signature(head: bytes, place: Where) -> Literal["parquet", "xlsx", ""]:
    """What the first bytes say. Raises :class:`BadData` for files that are known and cannot be read."""
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PK\x03\x04"):
        if b"word/" in head or b"ppt/" in head:
            raise BadData(error("unsupported-file", say("This is a Word or PowerPoint file."), place, _AS_XLSX))
        if b"xl/" in head or b"[Content_Types].xml" in head or b"docProps/" in head or b"_rels/" in head:
            return "xlsx"
        raise BadData(error("unsupported-file", say("This is a zip archive."), place, _UNPACK))
    for mark, told, fix in _REFUSED:
        if head.startswith(mark):
            raise BadData(error("unsupported-file", told, place, fix))
    if head[257:262] == b"ustar":
        raise BadData(error("unsupported-file", say("This is a tar archive."), place, _UNPACK))
    return ""


def refuse_unreadable(path: Path, place: Where) -> None:
    """Raise :class:`BadData` for devices, pipes and sockets, on which reading would wait for ever."""
    if not path.is_file():
        raise BadData(error("not-a-file", say("This is neither a file nor a folder."), place))


def refuse_binary(text: str, place: Where) -> None:
    """Raise :class:`BadData` when the decoded text is full of control characters."""
    if text and len(_CONTROL.findall(text)) > max(3, len(text) // 20):
        told = say("This is not a text file, and no format that can be read.")
        fix = say("Give csv, tsv, json, jsonl, parquet or xlsx; name the encoding if it is text.")
        raise BadData(error("binary-file", told, place, fix))
