"""Whole dialogues in one text: ``### Human: … ### Assistant: …``, ChatML, ``[INST]`` and their like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Final

from tunewiz.data.dialogues.markup import chat_mark
from tunewiz.data.formats.conversations import SYSTEM, TOOLS, ChatCells, ConversationFormat
from tunewiz.data.formats.exchanges import NEARLY_ALL, are_written, exchanges, exchanges_in, holds_exchanges
from tunewiz.data.formats.format import Detection, Mapped, Role
from tunewiz.data.reading.cells import Table
from tunewiz.data.reading.columns import guesses, list_columns
from tunewiz.data.reading.expressions import map_options
from tunewiz.data.reading.meaning import meaningful
from tunewiz.data.reading.source import Row, Source
from tunewiz.data.rows.conversations import Conversation
from tunewiz.language import N_
from tunewiz.problems import Report, say, warning

_MOST: Final = 0.5  # where the user says that they are dialogues
_COLUMN: Final = "dialogue"


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
        share = _MOST if asked_for else NEARLY_ALL
        column = next((name for name in table.columns if are_written(table, name, share)), "")
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
        """A text file of exchanges: a dialogue in each paragraph, or questions with their answers."""
        found = exchanges_in(source)
        if found is None:
            return None
        if found.mark:
            message = say(
                "The paragraphs are chats, written out ({mark}); they are read as conversations.", mark=found.mark
            )
        else:
            message = say("Each question, with what stands up to the next one, is read as a conversation.")
        return Detection(self, found.source, {_COLUMN: found.source.columns}, 0.8, (found.told(message),))

    def rows(self, detection: Detection, report: Report) -> Iterator[Row]:
        """Of a text file its exchanges, records of others."""
        source = detection.source
        return exchanges(source, report) if holds_exchanges(source) else super().rows(detection, report)

    def conversation(self, cells: ChatCells) -> Conversation | None:
        """The turns between the marks."""
        return cells.supervised(cells.turns("dialogue", answered=True))
