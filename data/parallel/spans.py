"""Where a large file may be cut, so that its parts read one by one give the rows of the whole.

A cut is made only where it is proven that a reader begins anew: in JSON Lines before a line that opens an object, in
tables before a line, as long as no quoted cell has gone on over the end of one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

from tunewiz.data.formats.conversations import ConversationFormat
from tunewiz.data.formats.format import Detection, Format
from tunewiz.data.formats.retrieval_rows import Alike, GroupFormat, Scored
from tunewiz.data.reading import jsonl
from tunewiz.data.reading.delimited import dialect_of, ends_open
from tunewiz.data.reading.source import Source, Span

#: Starting processes takes a second of each: a file has to take several.
LARGE: Final = 32 << 20
#: Bytes of a part: large beside what handing it over costs, small beside a file.
PART: Final = 4 << 20
_LOOK: Final = 1 << 16  # bytes read at once to find where a line begins


def may_be_cut(detection: Detection) -> bool:
    """Whether the rows of the source go by their own lines alone, in a format that makes each row by itself."""
    source, kind = detection.source, type(detection.format)
    by_bytes = source.newline != "CR" and not source.encoding.startswith(("utf-16", "utf-32"))
    plain = not source.compression and source.limit is None and source.span is None and by_bytes
    if not plain or source.layout or source.container not in ("jsonl", "csv", "tsv"):
        return False
    if issubclass(kind, ConversationFormat):
        by_row = kind.rows is Format.rows and kind.conversations is ConversationFormat.conversations
    else:
        by_row = getattr(kind, "examples", None) in (GroupFormat.examples, Scored.examples, Alike.examples)
    return by_row and (source.container != "jsonl" or _holds_objects(source))


def _holds_objects(source: Source) -> bool:
    """Whether the first row is an object, as the rows that follow then have to be."""
    return jsonl.kind_of(source) is dict


def spans(source: Source, size: int) -> Iterator[Span]:
    """The parts of the file, in order, of ``size`` bytes each and what is left of a line."""
    mark = b"\n{" if source.container == "jsonl" else b"\n"
    start, first_line, end = 0, 1, source.path.stat().st_size
    with source.path.open("rb") as stream:
        while start < end:
            cut = _line_after(stream, start + size, end, mark)
            stream.seek(start)
            part = stream.read(cut - start)
            if cut < end and source.container != "jsonl" and _goes_on(part, source):
                cut = end
            yield Span(start, cut, first_line)
            start, first_line = cut, first_line + part.count(b"\n")


def _line_after(stream: BinaryIO, position: int, end: int, mark: bytes) -> int:
    """Where a line begins, at ``position`` or behind it, as ``mark`` says; ``end`` where none does."""
    stream.seek(position - 1)
    held = b""
    while position < end and (more := stream.read(_LOOK)):
        held += more
        found = held.find(mark)
        if found >= 0:
            return min(stream.tell() - len(held) + found + 1, end)
        held = held[-1:]
    return end


def _goes_on(part: bytes, source: Source) -> bool:
    """Whether a quoted cell goes on over the end of a line: what lines are records is then known to a reader alone."""
    dialect = dialect_of(source)
    if dialect.quoting == "none" or b'"' not in part:
        return False
    lines = part.decode(source.encoding, errors="replace").split("\n")
    return any(ends_open(line.removeprefix("\ufeff"), dialect, False) for line in lines if '"' in line)
