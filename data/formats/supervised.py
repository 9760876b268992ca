"""Questions with answers, for supervised fine-tuning: instructions, completions, lists of turns, labelled texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar, Final

from tunewiz.data.dialogues.plain import plain_talk
from tunewiz.data.dialogues.trees import tree_column
from tunewiz.data.formats.conversations import (
    CHOICES,
    HISTORY,
    REASONING,
    SYSTEM,
    TOOLS,
    ChatCells,
    ConversationFormat,
)
from tunewiz.data.formats.format import Detection, Mapped, Role
from tunewiz.data.reading.cells import Table
from tunewiz.data.reading.columns import EXACT, USUAL, guesses, normalise_name
from tunewiz.data.reading.expressions import value_at
from tunewiz.data.reading.meaning import LONGEST_LABEL, is_again, is_choice, is_verdict
from tunewiz.data.reading.records import read
from tunewiz.data.reading.source import Row, Source
from tunewiz.data.reading.turns import first_turns, plain_keys
from tunewiz.data.rows.conversations import Conversation, Turn, plain_conversation
from tunewiz.language import N_
from tunewiz.problems import note, say

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
        REASONING,
        CHOICES,
        TOOLS,
    )

    def settled(self, mapping: Mapped, table: Table) -> Mapped:
        """The choices of a question, each in a column of its own, belong to it."""
        return _with_choices(mapping, table)

    def conversation(self, cells: ChatCells) -> Conversation | None:
        """Instruction and input under each other are the user's turn, after those of the history."""
        return cells.supervised(cells.exchange(("instruction", "input"), "output"))


def _with_choices(mapping: Mapped, table: Table) -> Mapped:
    used = {column for columns in mapping.values() for column in columns}
    choices = tuple(column for column in table.columns if column not in used and is_choice(column, table.columns))
    return mapping if "choices" in mapping or len(choices) < 2 else {**mapping, "choices": choices}


_INPUTS: Final = ("input", "inputs", "输入")
_TITLES: Final = re.compile("title|subject|标题|主题")


def _with_title(mapping: Mapped, table: Table) -> Mapped:
    """A prompt that is empty in some rows goes on what its title asks: Yahoo's question_title and question_content."""
    prompt = mapping["prompt"]
    used = {column for columns in mapping.values() for column in columns}
    titles = [column for column in table.columns if column not in used and _TITLES.search(normalise_name(column))]
    filled = len(table.values(prompt[0]))
    fuller = [column for column in titles if filled < len(table.values(column)) and table.kind(column) == "text"]
    return {**mapping, "prompt": (fuller[0], *prompt)} if fuller and len(prompt) == 1 else mapping


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
        REASONING,
        CHOICES,
        TOOLS,
    )

    def settled(self, mapping: Mapped, table: Table) -> Mapped:
        """As for :class:`Alpaca`; an input beside a prompt is the rest of it."""
        used = {column for columns in mapping.values() for column in columns}
        free = [guess.column for guess in guesses("llm_input", table.columns) if guess.column not in used]
        beside = next((column for column in free if normalise_name(column) in _INPUTS and table.values(column)), "")
        whole = {**mapping, "input": (beside,)} if beside and "input" not in mapping else mapping
        return _with_choices(_with_title(whole, table), table)

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """What annotators pressed (accept, reject) answers no prompt."""
        return not is_verdict(table, mapping["completion"][0])

    def synonyms(self) -> Mapping[str, str]:
        """A query and a response can be mapped by those names."""
        asked, answered = ("query", "question", "user"), ("response", "answer", "assistant")
        return dict.fromkeys(asked, "prompt") | dict.fromkeys(answered, "completion")

    def conversation(self, cells: ChatCells) -> Conversation | None:
        """The prompt is the user's turn, the completion the answer."""
        return cells.supervised(cells.exchange(("prompt", "input"), "completion"))


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

    def settled(self, mapping: Mapped, table: Table) -> Mapped:
        """A text beside the turns that sets their scene (the context of Google's chat models) is the system prompt."""
        used = {column for columns in mapping.values() for column in columns}
        beside = [guess.column for guess in guesses("llm_scene", [name for name in table.columns if name not in used])]
        turns = [str(value_at(row.values, mapping[self.turns][0])) for row in table.rows]
        scene = next(
            (name for name in beside if table.kind(name) == "text" and not _said_again(table, name, turns)), ""
        )
        return mapping if not scene or "system" in mapping else {**mapping, "system": (scene,)}

    def takes(self, source: Source, table: Table) -> Detection | None:
        """A chat program's export: trees of messages, whatever their column is called."""
        column = tree_column(table)
        if not column or not self._is_own(first_turns(table, column)):
            return None
        message = say("{column} holds trees of messages, as chat programs export them; a branch of each is read.",
                      column=column)  # fmt: skip
        return Detection(self, source, {self.turns: (column,)}, 0.9, (note("trees-read", message, source.at()),))

    @staticmethod
    def _is_own(turns: list[Any]) -> bool:
        return not any(isinstance(turn, dict) and "role" in plain_keys(turn) for turn in turns)

    def at_a_glance(self, detection: Detection) -> Callable[[Row], Conversation | None]:
        """Plain turns without anything beside them; see :func:`tunewiz.data.dialogues.plain.plain_talk`."""
        column = detection.column(self.turns)
        if detection.mapping.keys() != {self.turns} or detection.source.speakers:
            return lambda _row: None

        def read_plain(row: Row) -> Conversation | None:
            found = plain_talk(row.values.get(column))
            return None if found is None else plain_conversation(found.texts, found.system, row.line)

        return read_plain

    def conversation(self, cells: ChatCells) -> Conversation | None:
        """The turns in order; a system turn and a system column become the system prompt."""
        return cells.supervised(cells.turns(self.turns, answered=True))


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
        return any(isinstance(turn, dict) and "role" in plain_keys(turn) for turn in turns)


# Classification: a text and its label, which an instruction asks for.


_HAN: Final = re.compile("[\u3400-\u9fff]")
#: A label is short, and in a sample hardly every row has another one.
_FEW_ROWS: Final = 20  # among fewer rows each may have another label and still be one of a few
#: Different labels a row. Intents come to 77 among thousands of rows (Banking77): in a sample of 200, 0.4 a row.
_DIFFERENT: Final = 0.6
#: Rows that are read to see whether hundreds of labels come again.
_READ: Final = 5_000


class Classification(ConversationFormat):
    """One text and its label (or labels) a row; the text becomes a prompt with all labels."""

    name: ClassVar[str] = "classification"
    title: ClassVar[str] = N_("Classification (text and label)")
    description: ClassVar[str] = N_("A text and its label in each row; the model learns to answer with the label.")
    roles: ClassVar[tuple[Role, ...]] = (
        Role("text", names="llm_classified"),
        Role("label", names="llm_label"),
        SYSTEM,
    )

    def fits(self, role: Role, column: str, table: Table) -> bool:
        """Labels are short and repeat; several stand in a list."""
        listed = role.name == "label" and table.kind(column) in ("texts", "numbers")
        if not listed and not super().fits(role, column, table):
            return False
        if role.name == "text":
            sure = any(guess.column == column and guess.strength == EXACT for guess in guesses(role.known_as, [column]))
            return table.kind(column) != "number" and (sure or not _answers(table))
        return role.name != "label" or (_short(table, column) and _recurs(table, column))

    def settled(self, mapping: Mapped, table: Table) -> Mapped:
        """Labels in words, where another column says in words what each number stands for."""
        (label, *_), used = mapping["label"], {column for columns in mapping.values() for column in columns}
        if table.kind(label) != "number" and not all(str(value).isdigit() for value in table.values(label)):
            return mapping
        words = [column for column in table.columns if column not in used and table.kind(column) == "text"
                 and _short(table, column) and is_again(table, column, label)]  # fmt: skip
        return {**mapping, "label": (words[0],)} if words else mapping

    def conversation(self, cells: ChatCells) -> Conversation | None:
        """The text alone is the user's turn, the label the answer; the prompt is wrapped around it later."""
        text = cells.asked("text")
        label = self._label(cells) if text else ""
        if text and not label:
            cells.drop("empty-label", say("The label is empty; the row is left out."))
        if not text or not label:
            return None
        turns = (Turn("user", text), Turn("assistant", label))
        return Conversation(turns, cells.system(), label=label, line=cells.row.line)

    @staticmethod
    def _label(cells: ChatCells) -> str:
        value = cells.value("label")
        if not isinstance(value, list):
            return " ".join(cells.string("label").split())
        # One order, or the same labels would be learned as several.
        names = sorted({" ".join(str(name).split()) for name in value if str(name).strip()})
        if len(names) > 1:
            message = say("A row has several labels; the model learns to answer with all of them: {labels}.",
                       labels=tuple(names))  # fmt: skip
            cells.drop("multi-label", message, say("Accuracy counts an answer as right if all of them are named."))
        return ("、" if any(_HAN.search(name) for name in names) else ", ").join(names)


def _short(table: Table, column: str) -> bool:
    names = [str(name) for value in table.values(column) for name in (value if isinstance(value, list) else [value])]
    return bool(names) and sum(map(len, names)) / len(names) <= LONGEST_LABEL


_FEWEST: Final = 5
_NAME: Final = 12  # characters of the names of labels, on average


def _recurs(table: Table, column: str) -> bool:
    """Whether the values come again: in the sample, or of hundreds of labels further on."""
    values = [str(value).strip() for value in table.values(column)]
    if len(set(values)) <= max(2, _DIFFERENT * len(values)):
        return True
    if len(values) < _FEW_ROWS:  # of few rows only a title tells itself from a label, by its length
        return len(values) < _FEWEST or len(set(values)) < len(values) or sum(map(len, values)) <= _NAME * len(values)
    if not any(guess.strength == EXACT for guess in guesses("llm_label", [column])):
        return False
    rows = islice(read(table.source, lambda _problem: None), _READ)
    more = [str(value).strip() for row in rows if (value := row.values.get(column)) is not None]
    return len(set(more)) <= _DIFFERENT * len(more)


def _answers(table: Table) -> bool:
    """Whether there are answers beside the questions: their category is then no label to learn."""
    found = [guess.column for guess in guesses("llm_completion", table.columns) if guess.strength >= USUAL]
    return any(table.kind(column) != "number" and table.mean_length(column) > 2 for column in found)


def _said_again(table: Table, column: str, turns: Sequence[str]) -> bool:
    """Whether most texts of a column stand in the turns of their rows as well: the first question once more."""
    texts = [str(row.values.get(column) or "").strip() for row in table.rows]
    found = sum(bool(text) and _plain(text) in _plain(held) for text, held in zip(texts, turns, strict=True))
    return 2 * found > len(texts)


def _plain(text: str) -> str:
    """Letters and digits alone: turns may stand in a text, their quotes and line ends escaped."""
    return "".join(filter(str.isalnum, text.replace("\\n", "")))
