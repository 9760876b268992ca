"""Whole dialogues in one text: ``### Human: … ### Assistant: …``, ChatML, ``[INST]`` and their like."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import ClassVar, Final

from tunewiz.data.dialogues.markup import chat_mark, split_dialogue, spoken
from tunewiz.data.formats.conversations import SYSTEM, TOOLS, ChatCells, ConversationFormat
from tunewiz.data.formats.format import Detection, Mapped, Role
from tunewiz.data.formats.raw_text import as_prose, is_prose, prose_rows
from tunewiz.data.reading.cells import Table
from tunewiz.data.reading.columns import guesses, list_columns
from tunewiz.data.reading.expressions import map_options
from tunewiz.data.reading.meaning import meaningful
from tunewiz.data.reading.source import Row, Source
from tunewiz.data.rows.conversations import Conversation
from tunewiz.language import N_
from tunewiz.problems import Report, say, warning

#: Texts of the sample that are dialogues: a few may be cut off.
_NEARLY_ALL: Final = 0.9
_MOST: Final = 0.5  # where the user says that they are dialogues
_COLUMN: Final = "dialogue"
_SAMPLE: Final = 200  # rows


class WrittenDialogue(ConversationFormat):
    """One text a row with the marks of a chat in it, read as the conversation that it is."""

    name: ClassVar[str] = "dialogue"
    title: ClassVar[str] = N_("Dialogues written into a text")
    description: ClassVar[str] = N_("A text in each row with marks of who speaks (Human:, <|im_start|>, [INST]).")
    roles: ClassVar[tuple[Role, ...]] = (Role("dialogue", names="llm_dialogue"), SYSTEM, TOOLS)

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """Only where the user maps it: see :meth:`takes`."""
        return "text" not in table.source.mapping or table.source.format == self.name

    def takes(self, source: Source, table: Table) -> Detection | None:
        """A column of dialogues with nothing but a system prompt or tools beside it."""
        asked_for = source.format == self.name
        share = _MOST if asked_for else _NEARLY_ALL
        column = next((name for name in table.columns if _is_written(table, name, share)), "")
        beside = {role.name: guesses(role.known_as, table.columns) for role in (SYSTEM, TOOLS)}
        mapping = {"dialogue": (column,)} | {name: (found[0].column,) for name, found in beside.items() if found}
        used = [name for names in mapping.values() for name in names]
        lost = meaningful(table, used) if column else []
        if not column or (lost and not asked_for):
            return None
        if asked_for:
            told = say("Not used, though it means something: {columns}.", columns=list_columns(lost))
            return Detection(
                self, source, mapping, 1.0, (warning("columns-unused", told, source.at()),) if lost else ()
            )
        message = say(
            "The texts of {column} are chats, written out ({mark}); they are read as conversations.",
            column=column,
            mark=chat_mark(str(table.values(column)[0])),
        )
        fix = say("To train on every word of them as it stands: {mapping}.", mapping=map_options({"text": column}))
        return Detection(self, source, mapping, 0.8, (warning("chat-in-text", message, source.at(), fix),))

    def synonyms(self) -> Mapping[str, str]:
        """The text may be mapped as such where the format is named."""
        return {"text": "dialogue"}

    def plain(self, source: Source) -> Detection | None:
        """A text file with a dialogue in each paragraph, or with a question and an answer after the other a line."""
        whole = as_prose(source, _COLUMN)
        if whole is None:
            return None
        rows = list(islice(self.rows(Detection(self, whole, {}, 0.0), lambda _problem: None), _SAMPLE))
        if not _is_written(Table(whole, (_COLUMN,), rows), _COLUMN):
            return None
        message = say(
            "The paragraphs are chats, written out ({mark}); they are read as conversations.",
            mark=chat_mark(str(rows[0].values[_COLUMN])),
        )
        fix = say("To train on every word of them as it stands: --format text.")
        told = (warning("chat-in-text", message, source.at(), fix),)
        return Detection(self, whole, {_COLUMN: (_COLUMN,)}, 0.8, told)

    def rows(self, detection: Detection, report: Report) -> Iterator[Row]:
        """Of a text file its exchanges, records of others."""
        source = detection.source
        if not is_prose(source):
            return super().rows(detection, report)
        return islice(_exchanges(prose_rows(source.altered(limit=None), report)), source.limit)

    def conversation(self, cells: ChatCells) -> Conversation | None:
        """The turns between the marks."""
        return cells.supervised(cells.turns("dialogue", answered=True))


def _exchanges(paragraphs: Iterable[Row]) -> Iterator[Row]:
    """Paragraphs, or lines, put together up to the next in which the user begins anew after an answer."""
    kept: list[str] = []
    start, answered = 0, False
    for row in paragraphs:
        text = str(row.values[_COLUMN])
        part, _ = spoken(text)
        begins = (part == "user" and answered) or split_dialogue(text) is not None
        if kept and begins:
            yield Row(start, {_COLUMN: "\n".join(kept)})
            kept, answered = [], False
        start = start if kept else row.line
        kept.append(text)
        answered = answered or part == "assistant" or split_dialogue(text) is not None
    if kept:
        yield Row(start, {_COLUMN: "\n".join(kept)})


def _is_written(table: Table, column: str, share: float = _NEARLY_ALL) -> bool:
    values = [value for value in table.values(column) if isinstance(value, str)]
    if not values or len(values) < len(table.values(column)):
        return False
    return sum(split_dialogue(value) is not None for value in values) >= share * len(values)
