"""Raw text for continued pre-training: a column of texts, or a plain text file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, ClassVar, Final

from tunewiz.data.dialogues.roles import part_of
from tunewiz.data.dialogues.segments import is_segments, learned
from tunewiz.data.exports.saved_chats import layout_of
from tunewiz.data.formats.conversations import ChatCells, ConversationFormat
from tunewiz.data.formats.format import Detection, Mapped, Role
from tunewiz.data.reading.cells import Table, parse_nested
from tunewiz.data.reading.columns import guesses
from tunewiz.data.reading.dialect import named_marks
from tunewiz.data.reading.meaning import beside_text
from tunewiz.data.reading.records import read
from tunewiz.data.reading.source import Row, Source
from tunewiz.data.reading.streams import chunks, lines
from tunewiz.data.reading.turns import is_turns, text_of
from tunewiz.data.rows.conversations import Conversation
from tunewiz.language import N_
from tunewiz.problems import Problem, Report, error, note, say, warning

#: Names of files that hold running text as often as tables.
PROSE: Final = (".txt", ".text", ".md", ".markdown")
_BLANK: Final = re.compile(r"\n[ \t]*\n")
_COLUMN: Final = "text"
_LINES: Final = 200  # that tell a table from prose
_ALIKE: Final = 0.8  # of the rows of a table have as many cells as most
_FEW_LINES: Final = 5  # among fewer, as many tabs on each are no pattern


class RawText(ConversationFormat):
    """One text a row; of a plain text file, one a paragraph (or a line, where there are no blank lines)."""

    name: ClassVar[str] = "text"
    title: ClassVar[str] = N_("Raw text (continued pre-training)")
    description: ClassVar[str] = N_("A text in each row, or a plain text file, whose every word is trained on.")
    roles: ClassVar[tuple[Role, ...]] = (Role("text", names="llm_text"),)

    def fits(self, role: Role, column: str, table: Table) -> bool:
        """Texts; or turns of the assistant alone, as ms-swift writes what is pre-trained on."""
        return _only_answers(table, column) or super().fits(role, column, table)

    def assumed(self, mapping: Mapped, table: Table) -> bool:
        """Never beside another column that carries meaning: raw text is a choice, not what is left over."""
        return table.source.format == self.name or not beside_text(table, mapping[_COLUMN])

    def takes(self, source: Source, table: Table) -> Detection | None:
        """Turns of the assistant alone."""
        named = [guess.column for guess in guesses("llm_turns", table.columns)]
        column = next((name for name in named if _only_answers(table, name)), "")
        if not column:
            return None
        message = say("Nobody but the assistant speaks in {column}: its words are text to pre-train on.", column=column)
        return Detection(self, source, {_COLUMN: (column,)}, 0.8, (warning("only-answers", message, source.at()),))

    def plain(self, source: Source) -> Detection | None:
        """A text file that is no table as this format; None for other files."""
        whole = as_prose(source, _COLUMN)
        if whole is None:
            return None
        blocks = _has_blank_lines(source)
        message = say("Each paragraph is a text to train on.") if blocks else say("Each line is a text to train on.")
        # 0.8, below opened._SURE: a table that nobody can read may be named .txt too, and is not trained on unasked.
        told = (note("plain-text", message, source.at()), *_no_prose(source))
        return Detection(self, whole, {_COLUMN: (_COLUMN,)}, 0.8, told)

    def rows(self, detection: Detection, report: Report) -> Iterator[Row]:
        """Paragraphs or lines of a plain text file, records of others."""
        source = detection.source
        return prose_rows(source, report) if is_prose(source) else read(source, report)

    def conversation(self, cells: ChatCells) -> Conversation | None:
        """The text, with nothing around it."""
        value = cells.value("text")
        texts = [_said(item) for item in value] if isinstance(value, list) and is_turns(value) else []
        between = "" if texts and is_segments(value) else "\n"
        text = between.join(filter(None, texts)) if texts else cells.string("text")
        if not text.strip():
            cells.drop("empty-text", say("The text is empty; the row is left out."))
        return Conversation(text=text, line=cells.row.line) if text.strip() else None


def _said(item: Any) -> str:
    found = parse_nested(item)
    content = found.get("content", found.get("value", found.get("text"))) if isinstance(found, dict) else None
    return text_of(content) or ""


def _only_answers(table: Table, column: str) -> bool:
    """Whether a column holds turns, all of them the assistant's."""
    values = [parse_nested(value) for value in table.values(column)]
    if values and all(isinstance(value, list) and is_segments(value) for value in values):
        return all(learned(item) for value in values for item in value)
    parts = {_part(item) for value in values if isinstance(value, list) for item in value}
    return parts == {"assistant"} and all(isinstance(value, list) for value in values)


def _part(item: Any) -> str | None:
    found = parse_nested(item)
    return part_of(found.get("role", found.get("from", ""))) if isinstance(found, dict) else None


def is_table(source: Source) -> bool:
    """Whether a file named like prose holds a table: names in its first line, or as many separators on every line."""
    table = (text for number, text in lines(source, lambda _problem: None) if number > source.skip_lines)
    heading = next(table, "")
    if source.columns and named_marks(heading):
        return True
    if len(source.columns) < 2 or not (source.delimiter == "\t" or len(source.delimiter) > 1):
        return False
    first = [text for text in (heading, *islice(table, _LINES)) if text.strip()]
    return len(first) >= _FEW_LINES and len({text.count(source.delimiter) for text in first}) == 1


def is_ragged(table: Table) -> bool:
    """Whether rows have now more cells and now fewer, as sentences have commas."""
    counts = [sum(bool(value) for value in row.values.values()) for row in table.rows]
    return len(counts) >= _FEW_LINES and counts.count(max(set(counts), key=counts.count)) < _ALIKE * len(counts)


def as_prose(source: Source, column: str) -> Source | None:
    """A plain text file that is no table as running text, whose pieces are called ``column``; None for other files."""
    if source.container not in ("csv", "tsv") or not set(PROSE) & {s.casefold() for s in source.path.suffixes}:
        return None
    if is_table(source):
        return None
    kept = tuple(problem for problem in source.notes if problem.code.startswith("encoding"))
    return source.altered(columns=(column,), header=False, delimiter="", quoting="none", notes=kept)


def is_prose(source: Source) -> bool:
    """Whether ``source`` is read as running text: see :func:`as_prose`."""
    return source.container in ("csv", "tsv") and not source.delimiter


def prose_rows(source: Source, report: Report) -> Iterator[Row]:
    """The paragraphs of running text, each as a row; its lines, where there are no blank ones between them."""
    return islice(_paragraphs(source, report, _has_blank_lines(source)), source.limit)


#: A line of a chat that some program saved: a date or a time, who speaks, and what.
_SAID_AT: Final = re.compile(
    r"^\W{0,2}(?:\d{1,4}[-/.年]\d{1,2}[-/.月]\d{1,4}日?,?\s*)?(?:[上下]午\s*)?\d{1,2}:\d{2}(?::\d{2})?(?:\s*[AP]M)?\W{0,3}\s*"
    r"[^\s:：][^:：]{0,30}(?:[:：]|$)"
    r"|^\S{1,20}\s+\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日?\s+\d{1,2}:\d{2}(?::\d{2})?\s*$"
)


#: A word, perhaps more columns, and its tag: CoNLL's layout of named entities.
_TAGGED: Final = re.compile(r"^\S+(?:[ \t]+\S+){0,3}?[ \t]+(?:O|[BIESMLU]-\S+)\s*$")


#: A query, an iteration, a document and its grade (TREC's qrels); or a document, its rank, score and the run's name.
_JUDGED: Final = re.compile(r"^\S+[ \t]+Q?\d+[ \t]+\S+[ \t]+-?\d+(?:[ \t]+-?\d[\d.eE+-]*[ \t]+\S+)?\s*$")


def _no_prose(source: Source) -> list[Problem]:
    """An error where words stand with tags, or judgments; a warning where it looks like a chat or questions."""
    first = [text for _, text in islice(lines(source, lambda _problem: None), _LINES) if text.strip()]
    if len(first) >= _FEW_LINES and 2 * sum(bool(_TAGGED.match(text)) for text in first) > len(first):
        message = say("The lines are words with tags (named entities); as raw text the tags would be learned as words.")
        fix = say("Write a row for each sentence: the text, and its entities as the answer.")
        return [(error if source.format == "auto" else warning)("tagged-words", message, source.at(), fix)]
    if len(first) >= _FEW_LINES and sum(bool(_JUDGED.match(text)) for text in first) > _ALIKE * len(first):
        message = say("The lines are judgments or results of a search (TREC): there is no text to learn in them.")
        fix = say("They belong to a corpus and queries, for retrieval: data.evaluation.qrels.")
        return [(error if source.format == "auto" else warning)("judged-lines", message, source.at(), fix)]
    if not is_saved_chat(first):
        asking = sum(text.rstrip().endswith(("?", "？")) for text in first)
        if len(first) >= 2 * _FEW_LINES and 0.3 * len(first) <= asking <= 0.7 * len(first):
            message = say(
                "Every other line is a question: as raw text the questions would be learned as well as the answers."
            )
            fix = say("To train on answers, begin the lines with User: and Assistant: (问： and 答：).")
            return [warning("questions-in-text", message, source.at(), fix)]
        return []
    message = say(
        "The lines begin with times, as a log's or a saved chat's do: every word of them would be trained on."
    )
    fix = say("To train on answers, write each exchange as a paragraph: a line User: …, a line Assistant: …")
    return [warning("chat-in-text", message, source.at(), fix)]


def is_saved_chat(first: Sequence[str]) -> bool:
    """Whether lines tell when somebody speaks, in a layout that is known or in at least every third of them."""
    timed = sum(bool(_SAID_AT.match(text)) for text in first)
    return bool(layout_of([text.rstrip("\r\n") for text in first])) or (
        len(first) >= _FEW_LINES and 3 * timed >= len(first)
    )


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
            yield Row(start, {source.columns[0]: "\n".join(kept)})
            kept = []
    if kept:
        yield Row(start, {source.columns[0]: "\n".join(kept)})
