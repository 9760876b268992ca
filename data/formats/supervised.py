"""Questions with answers, for supervised fine-tuning: instructions, completions, lists of turns, labelled texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from tunewiz.data.formats.conversations import HISTORY, SYSTEM, TOOLS, ChatCells, ConversationFormat
from tunewiz.data.formats.format import Mapped, Role
from tunewiz.data.reading.cells import Table
from tunewiz.data.reading.columns import EXACT, USUAL, guesses
from tunewiz.data.reading.turns import first_turns
from tunewiz.data.rows.conversations import Conversation, Turn
from tunewiz.language import N_
from tunewiz.problems import say

# Alpaca: an instruction, perhaps an input, and the output.


class Alpaca(ConversationFormat):
    """One instruction and its output a row, with an input, a system prompt and earlier turns where there are any."""

    name: ClassVar[str] = "alpaca"
    title: ClassVar[str] = N_("Instructions (Alpaca)")
    description: ClassVar[str] = N_("An instruction, perhaps an input, and the output in each row.")
    roles: ClassVar[tuple[Role, ...]] = (
        Role("instruction", names="llm_instruction"),
        Role("output", names="llm_output"),
        Role("input", required=False, names="llm_input"),
        SYSTEM,
        HISTORY,
        TOOLS,
    )

    def conversation(self, cells: ChatCells) -> Conversation | None:
        """Instruction and input under each other are the user's turn, after those of the history."""
        return _single_turn(cells, ("instruction", "input"), "output")


def _single_turn(cells: ChatCells, asked: tuple[str, ...], answered: str) -> Conversation | None:
    """A row with one question (the roles ``asked``) and one answer, and what went before."""
    question = cells.asked(*asked)
    answer = cells.answered(answered) if question else None
    history, system, tools = cells.history(), cells.string("system"), cells.tools()
    if not question or not answer or history is None or system is None or tools is None:
        return None
    turns = (*history, Turn("user", question), Turn("assistant", answer))
    return Conversation(turns, system, tools, line=cells.row.line)


# Prompts and completions: a question and its answer under whatever names.


class PromptCompletion(ConversationFormat):
    """One prompt and what the model shall answer a row: prompt and completion, query and response, 问题 and 答案."""

    name: ClassVar[str] = "prompt_completion"
    title: ClassVar[str] = N_("Prompts and completions")
    description: ClassVar[str] = N_("A prompt (or question) and the completion (or answer) in each row.")
    roles: ClassVar[tuple[Role, ...]] = (
        Role("prompt", names="llm_prompt"),
        Role("completion", names="llm_completion"),
        Role("input", required=False, names="llm_context"),
        SYSTEM,
        HISTORY,
        TOOLS,
    )

    def synonyms(self) -> Mapping[str, str]:
        """A query and a response can be mapped by those names."""
        return {"query": "prompt", "question": "prompt", "response": "completion", "answer": "completion"}

    def conversation(self, cells: ChatCells) -> Conversation | None:
        """The prompt is the user's turn, the completion the answer."""
        return _single_turn(cells, ("prompt", "input"), "completion")


class _TurnList(ConversationFormat):
    """What the two have in common: one column with the turns."""

    turns: ClassVar[str]

    def fits(self, role: Role, column: str, table: Table) -> bool:
        """The turns are a list, also as text in a cell."""
        if role.name == self.turns:
            return not table.values(column) or bool(first_turns(table, column))
        return role.name == "tools" or super().fits(role, column, table)

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """By the fields of the first turn."""
        return self._is_own(first_turns(table, mapping[self.turns][0]))

    @staticmethod
    def _is_own(turns: list[Any]) -> bool:
        return not any(isinstance(turn, dict) and "role" in turn for turn in turns)

    def conversation(self, cells: ChatCells) -> Conversation | None:
        """The turns in order; a system turn and a system column become the system prompt."""
        found, system, tools = cells.turns(self.turns, answered=True), cells.string("system"), cells.tools()
        if found is None or system is None or tools is None:
            return None
        return Conversation(found.turns, found.system or system, tools, line=cells.row.line)


class ShareGpt(_TurnList):
    """Turns with ``from`` and ``value`` (or question and answer) a row."""

    name: ClassVar[str] = "sharegpt"
    title: ClassVar[str] = N_("Conversations (ShareGPT)")
    description: ClassVar[str] = N_("A list of turns with from and value in each row; tools may be called.")
    turns: ClassVar[str] = "conversations"
    roles: ClassVar[tuple[Role, ...]] = (Role("conversations", names="llm_turns"), SYSTEM, TOOLS)


class Messages(_TurnList):
    """Turns with ``role`` and ``content`` a row."""

    name: ClassVar[str] = "messages"
    title: ClassVar[str] = N_("Messages (OpenAI)")
    description: ClassVar[str] = N_("A list of messages with role and content in each row; tools may be called.")
    turns: ClassVar[str] = "messages"
    roles: ClassVar[tuple[Role, ...]] = (Role("messages", names="llm_turns"), SYSTEM, TOOLS)

    @staticmethod
    def _is_own(turns: list[Any]) -> bool:
        return any(isinstance(turn, dict) and "role" in turn for turn in turns)


# Classification: a text and its label, which an instruction asks for.


#: A label is short, and in a sample hardly every row has another one.
_LONGEST_LABEL: Final = 60
_FEW_ROWS: Final = 20  # among fewer rows each may have another label and still be one of a few


class Classification(ConversationFormat):
    """One text and one label a row; the text becomes a prompt with all labels (:mod:`tunewiz.data.chat.labels`)."""

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
        # Intents come to 77 among thousands of rows (Banking77); in a sample of 200 that is 0.4 different ones a row.
        few = len(set(values)) <= max(2, 0.6 * len(values)) or len(values) < _FEW_ROWS
        return few and table.mean_length(column) <= _LONGEST_LABEL

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
