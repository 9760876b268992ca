"""Whole dialogues in one text: ``### Human: … ### Assistant: …``, ChatML, ``[INST]`` and their like."""

from __future__ import annotations

from typing import ClassVar, Final

from tunewiz.data.dialogues.markup import chat_mark, split_dialogue
from tunewiz.data.formats.conversations import SYSTEM, TOOLS, ChatCells, ConversationFormat
from tunewiz.data.formats.format import Detection, Mapped, Role
from tunewiz.data.reading.cells import Table
from tunewiz.data.reading.columns import guesses
from tunewiz.data.reading.meaning import meaningful
from tunewiz.data.reading.source import Source
from tunewiz.data.rows.conversations import Conversation
from tunewiz.language import N_
from tunewiz.problems import say, warning

#: Texts of the sample that are dialogues: a few may be cut off.
_NEARLY_ALL: Final = 0.9


class WrittenDialogue(ConversationFormat):
    """One text a row with the marks of a chat in it, read as the conversation that it is."""

    name: ClassVar[str] = "dialogue"
    title: ClassVar[str] = N_("Dialogues written into a text")
    description: ClassVar[str] = N_("A text in each row with marks of who speaks (Human:, <|im_start|>, [INST]).")
    roles: ClassVar[tuple[Role, ...]] = (Role("dialogue", names="llm_dialogue"), SYSTEM, TOOLS)

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """Only where the user maps it: see :meth:`takes`."""
        return True

    def takes(self, source: Source, table: Table) -> Detection | None:
        """A column of dialogues with nothing but a system prompt or tools beside it."""
        column = next((name for name in table.columns if _is_written(table, name)), "")
        beside = {role.name: guesses(role.known_as, table.columns) for role in (SYSTEM, TOOLS)}
        mapping = {"dialogue": (column,)} | {name: (found[0].column,) for name, found in beside.items() if found}
        if not column or meaningful(table, [name for names in mapping.values() for name in names]):
            return None
        message = say(
            "The texts of {column} are chats, written out ({mark}); they are read as conversations.",
            column=column,
            mark=chat_mark(str(table.values(column)[0])),
        )
        fix = say("To train on every word of them as it stands: --map text={column}.", column=column)
        return Detection(self, source, mapping, 0.8, (warning("chat-in-text", message, source.at(), fix),))

    def conversation(self, cells: ChatCells) -> Conversation | None:
        """The turns between the marks."""
        return cells.supervised(cells.turns("dialogue", answered=True))


def _is_written(table: Table, column: str) -> bool:
    values = [value for value in table.values(column) if isinstance(value, str)]
    if not values or len(values) < len(table.values(column)):
        return False
    return sum(split_dialogue(value) is not None for value in values) >= _NEARLY_ALL * len(values)
