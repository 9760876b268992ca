"""Text files of questions and answers: each exchange a row, by names before the lines or by the questions alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from tunewiz.data.dialogues.markup import chat_mark, split_dialogue, spoken
from tunewiz.data.formats.raw_text import as_prose, is_prose, is_saved_chat, prose_rows
from tunewiz.data.reading.cells import Table
from tunewiz.data.reading.source import Row, Source
from tunewiz.data.reading.streams import lines
from tunewiz.problems import Message, Problem, Report, say, warning

#: The column of exchanges in which names tell who speaks, and of those in which only the questions are seen.
NAMED: Final = "dialogue"
ASKED: Final = "faq"
#: Texts of the sample that are dialogues: a few may be cut off.
NEARLY_ALL: Final = 0.9
_SAMPLE: Final = 200  # rows, or lines
_FEWEST: Final = 5  # questions
_SHARE: Final = 0.3  # of the lines that ask where nothing marks a question: every other one, or every third
_LONGEST: Final = 300  # characters of a question

#: What a line begins with that heads an answer: ``## …``, ``**…**``, ``12. …``, ``Q3: …``.
_MARKS: Final = {
    "heading": re.compile(r"\s{0,3}#{1,6}\s+(.+?)\s*#*\s*"),
    "bold": re.compile(r"\s*(?:[-*]\s+)?(?:\*\*|__)(.+?)(?:\*\*|__)\s*[:：]?\s*"),
    "number": re.compile(r"\s*[(（]?\d{1,4}\s*[.、．)）]\s*(.+?)\s*"),
    "": re.compile(r"\s*(.+?)\s*"),
}
_INNER: Final = re.compile(r"(?:\*\*|__)|^(?:\d{1,4}\s*[.、．)）]|[Qq问]\s*\d{0,4}\s*[.、．:：)）])\s*")
_ASKS: Final = ("?", "？")
#: A line between exchanges that says nothing.
_RULE: Final = re.compile(r"\s*([-=*_~#—])(?:\s*\1){2,}\s*")


class Written(NamedTuple):
    """A text file as a source whose one column holds exchanges, and a ``mark`` that shows it ("" if none does)."""

    source: Source
    mark: str

    def told(self, shown: Message) -> Problem:
        """The warning that the file is read as exchanges; ``shown`` says as what."""
        fix = say("To train on every word of them as it stands: --format text.")
        return warning("chat-in-text", shown, self.source.at(), fix)


def exchanges_in(source: Source) -> Written | None:
    """A text file of exchanges; None for any other file."""
    whole = as_prose(source, NAMED)
    if whole is None:
        return None
    rows = list(islice(exchanges(whole, lambda _problem: None), _SAMPLE))
    if are_written(Table(whole, (NAMED,), rows), NAMED):
        return Written(whole, chat_mark(str(rows[0].values[NAMED])))
    mark = _question_mark(whole)
    return None if mark is None else Written(whole.altered(columns=(ASKED,)), "")


def exchanges(source: Source, report: Report) -> Iterator[Row]:
    """The exchanges of a text file as rows of its one column."""
    whole = source.altered(limit=None)
    if source.columns == (ASKED,):
        return islice(_asked(whole, _question_mark(whole) or "", report), source.limit)
    return islice(_named(prose_rows(whole, report)), source.limit)


def holds_exchanges(source: Source) -> bool:
    """Whether ``source`` is such a text file, as :func:`exchanges_in` made it."""
    return is_prose(source) and source.columns in ((NAMED,), (ASKED,))


def are_written(table: Table, column: str, share: float = NEARLY_ALL) -> bool:
    """Whether a ``share`` of a column's texts are dialogues, written out."""
    values = [value for value in table.values(column) if isinstance(value, str)]
    if not values or len(values) < len(table.values(column)):
        return False
    return sum(split_dialogue(value) is not None for value in values) >= share * len(values)


def _named(paragraphs: Iterable[Row]) -> Iterator[Row]:
    """Paragraphs, or lines, put together up to the next in which the user begins anew after an answer."""
    kept: list[str] = []
    start, answered = 0, False
    for row in paragraphs:
        text = str(row.values[NAMED])
        if any(_RULE.fullmatch(line) for line in text.split("\n")):
            text = "\n".join(line for line in text.split("\n") if not _RULE.fullmatch(line))
        if not text:
            continue
        part, _ = spoken(text)
        if not kept and part is None and _MARKS["heading"].fullmatch(text) and not text.endswith(_ASKS):
            continue  # the title of the file
        begins = (part == "user" and answered) or split_dialogue(text) is not None
        if kept and begins:
            yield Row(start, {NAMED: "\n".join(kept)})
            kept, answered = [], False
        start = start if kept else row.line
        kept.append(text)
        answered = answered or part == "assistant" or split_dialogue(text) is not None
    if kept:
        yield Row(start, {NAMED: "\n".join(kept)})


def _question_mark(source: Source) -> str | None:
    """What marks the questions of a text in which each is followed by its answer ("" if nothing does); None if none.

    A heading that does not ask is the title of what follows.
    """
    first = [text for _, text in islice(lines(source, lambda _problem: None), 2 * _SAMPLE) if text.strip()]
    for mark in _MARKS if not is_saved_chat(first) else ():
        places = [place for place, text in enumerate(first) if _question(text, mark)]
        if len(places) < _FEWEST or places[0] > _FEWEST:
            continue
        marked = sum(bool(_MARKS[mark].fullmatch(text.rstrip())) for text in first)
        answered = sum(b - a > 1 for a, b in zip(places, [*places[1:], len(first)], strict=True))
        if answered < NEARLY_ALL * len(places):
            continue
        if mark and 2 * len(places) > marked:
            return mark
        if not mark and len(places) >= _SHARE * len(first):
            return mark
    return None


def _question(text: str, mark: str) -> str:
    """The question that a line is, without its marks; "" where it is none."""
    found = _MARKS[mark].fullmatch(text.rstrip())
    asked = _INNER.sub("", found[1]).strip() if found else ""
    return asked if asked.endswith(_ASKS) and len(asked) <= _LONGEST else ""


def _asked(source: Source, mark: str, report: Report) -> Iterator[Row]:
    """Each question with the lines up to the next one, or up to a heading, as its answer."""
    question, start = "", 0
    answer: list[str] = []
    for number, line in lines(source, report):
        text = line.rstrip("\r\n")
        asked = _question(text, mark)
        if asked or _MARKS["heading"].fullmatch(text.rstrip()):
            yield from _exchange(start, question, answer)
            question, start, answer = asked, number, []
        elif question and not _RULE.fullmatch(text):
            answer.append(text)
    yield from _exchange(start, question, answer)


def _exchange(start: int, question: str, answer: list[str]) -> Iterator[Row]:
    said = "\n".join(answer).strip()
    if question and said:
        said = spoken(said)[1] if spoken(said)[0] == "assistant" else said
        yield Row(start, {ASKED: [{"role": "user", "content": question}, {"role": "assistant", "content": said}]})
