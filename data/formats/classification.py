"""Classification: a text and its label, which an instruction asks for."""

from __future__ import annotations

from typing import ClassVar, Final

from data.column_names import EXACT, USUAL
from data.columns import guesses
from data.conversations import Conversation, Turn
from data.formats.base import Role
from data.formats.chat import SYSTEM, ChatCells, ConversationFormat
from data.language import N_
from data.problems import say
from data.table import Table

#: A label is short, and in a sample hardly every row has another one.
_LONGEST: Final = 60
_FEW_ROWS: Final = 20


class Classification(ConversationFormat):
    """One text and one label a row; the text becomes a prompt that lists the labels (:mod:`data.label_prompt`)."""

    name: ClassVar[str] = "classification"
    title: ClassVar[str] = N_("Classification (text and label)")
    description: ClassVar[str] = N_("A text and its label in each row; the model learns to answer with the label.")
    roles: ClassVar[tuple[Role, ...]] = (
        Role("text", names="llm_classified"),
        Role("label", names="llm_label"),
        SYSTEM,
    )

    def fits(self, role: Role, column: str, table: Table) -> bool:
        """Labels are short and repeat."""
        if not super().fits(role, column, table):
            return False
        if role.name == "text":
            sure = any(guess.column == column and guess.strength == EXACT for guess in guesses(role.known_as, [column]))
            return table.kind(column) != "number" and (sure or not _answers(table))
        if role.name != "label":
            return True
        values = [str(value).strip() for value in table.values(column)]
        few = len(set(values)) <= max(2, 0.6 * len(values)) or len(values) < _FEW_ROWS
        return few and table.mean_length(column) <= _LONGEST

    def conversation(self, cells: ChatCells) -> Conversation | None:
        """The text alone is the user's turn, the label the answer; the prompt is wrapped around it later."""
        text, system = cells.asked("text"), cells.string("system")
        label = cells.string("label") if text else None
        if label is not None and not label.strip():
            cells.drop("empty-label", say("The label is empty; the row is left out."))
        if not text or not label or not label.strip() or system is None:
            return None
        label = " ".join(label.split())
        return Conversation((Turn("user", text), Turn("assistant", label)), system, label=label, line=cells.row.line)


def _answers(table: Table) -> bool:
    """Whether there are answers beside the questions: their category is then no label to learn."""
    return any(guess.strength >= USUAL for guess in guesses("llm_completion", table.columns))
