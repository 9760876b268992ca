"""Raw text for continued pre-training: a column of texts, or a plain text file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import ClassVar, Final

from tunewiz.data.formats.conversations import ChatCells, ConversationFormat
from tunewiz.data.formats.format import Detection, Role
from tunewiz.data.reading.records import read
from tunewiz.data.reading.source import Row, Source
from tunewiz.data.reading.streams import chunks, lines
from tunewiz.data.rows.conversations import Conversation
from tunewiz.language import N_
from tunewiz.problems import Report, note, say

#: Names of files that hold running text as often as tables.
PROSE: Final = (".txt", ".text", ".md", ".markdown")
_BLANK: Final = re.compile(r"\n[ \t]*\n")
_COLUMN: Final = "text"


class RawText(ConversationFormat):
    """One text a row; of a plain text file, one a paragraph (or a line, where there are no blank lines)."""

    name: ClassVar[str] = "text"
    title: ClassVar[str] = N_("Raw text (continued pre-training)")
    description: ClassVar[str] = N_("A text in each row, or a plain text file, whose every word is trained on.")
    roles: ClassVar[tuple[Role, ...]] = (Role("text", names="llm_text"),)

    def plain(self, source: Source) -> Detection | None:
        """A text file that is no table as this format; None for other files."""
        if source.container not in ("csv", "tsv") or not set(PROSE) & {s.casefold() for s in source.path.suffixes}:
            return None
        blocks = _has_blank_lines(source)
        message = say("Each paragraph is a text to train on.") if blocks else say("Each line is a text to train on.")
        kept = tuple(problem for problem in source.notes if problem.code.startswith("encoding"))
        whole = source.altered(columns=(_COLUMN,), header=False, delimiter="", quoting="none", notes=kept)
        # 0.8, below opened._SURE: a table that nobody can read may be named .txt too, and is not trained on unasked.
        return Detection(self, whole, {_COLUMN: (_COLUMN,)}, 0.8, (note("plain-text", message, source.at()),))

    def rows(self, detection: Detection, report: Report) -> Iterator[Row]:
        """Paragraphs or lines of a plain text file, records of others."""
        source = detection.source
        if source.container in ("csv", "tsv") and not source.delimiter:
            return islice(_paragraphs(source, report, _has_blank_lines(source)), source.limit)
        return read(source, report)

    def conversation(self, cells: ChatCells) -> Conversation | None:
        """The text, with nothing around it."""
        text = cells.string("text")
        if text is not None and not text.strip():
            cells.drop("empty-text", say("The text is empty; the row is left out."))
        return Conversation(text=text, line=cells.row.line) if text and text.strip() else None


def _has_blank_lines(source: Source) -> bool:
    """Whether the first quarter of a million characters have a blank line between others."""
    pieces = chunks(source, lambda _problem: None)
    first = next(pieces, "")
    pieces.close()
    return bool(_BLANK.search(first.replace("\r\n", "\n").strip()))


def _paragraphs(source: Source, report: Report, blocks: bool) -> Iterator[Row]:
    """Paragraphs (or lines), each with the line it begins on."""
    kept: list[str] = []
    start = 0
    for number, line in lines(source, report):
        text = line.rstrip("\r\n")
        if text.strip():
            start = start if kept else number
            kept.append(text)
        if kept and (not blocks or not text.strip()):
            yield Row(start, {_COLUMN: "\n".join(kept)})
            kept = []
    if kept:
        yield Row(start, {_COLUMN: "\n".join(kept)})
