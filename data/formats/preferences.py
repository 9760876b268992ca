"""Answers that were judged: a chosen and a rejected one (DPO and the like), or one and whether it was good (KTO)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Final

from tunewiz.data.dialogues.compared import side
from tunewiz.data.dialogues.judgments import verdict_of
from tunewiz.data.dialogues.markup import split_dialogue
from tunewiz.data.dialogues.roles import part_of
from tunewiz.data.formats.conversations import HISTORY, SYSTEM, TOOLS, ChatCells, ConversationFormat
from tunewiz.data.formats.format import Mapped, Role
from tunewiz.data.reading.cells import Table, parse_nested
from tunewiz.data.reading.columns import guesses
from tunewiz.data.reading.turns import Talk, first_turns, is_turns, text_of
from tunewiz.data.rows.conversations import Conversation
from tunewiz.language import N_
from tunewiz.problems import say

# Preferences: a prompt with an answer that was chosen and one that was rejected.


class Preference(ConversationFormat):
    """A prompt in a column of its own, as turns, or as the turns that both answers share."""

    name: ClassVar[str] = "preference"
    title: ClassVar[str] = N_("Preferences (chosen and rejected)")
    description: ClassVar[str] = N_("A prompt with a chosen and a rejected answer in each row, for DPO and the like.")
    roles: ClassVar[tuple[Role, ...]] = (
        Role("chosen", names="llm_chosen"),
        Role("rejected", names="llm_rejected"),
        Role("conversations", required=False, names="llm_turns"),
        Role("prompt", required=False, names="llm_asked"),
        Role("input", required=False, names="llm_input"),
        SYSTEM,
        HISTORY,
        TOOLS,
    )

    def fits(self, role: Role, column: str, table: Table) -> bool:
        """Answers may be turns; everything that is no text is looked at row by row."""
        return True

    def settled(self, mapping: Mapped, table: Table) -> Mapped:
        """Turns beside a prompt, or beside answers that are whole conversations, are those of one answer again."""
        whole = all(_conversations(table, mapping[role][0]) for role in ("chosen", "rejected"))
        beside = "prompt" in mapping or whole
        return {role: columns for role, columns in mapping.items() if role != "conversations" or not beside}

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """With a prompt, or with answers that are whole conversations."""
        if not table.rows or "prompt" in mapping or "conversations" in mapping:
            return "prompt" in mapping or "conversations" in mapping
        return all(_conversations(table, mapping[role][0]) for role in ("chosen", "rejected"))

    def conversation(self, cells: ChatCells) -> Conversation | None:
        """The prompt ends with the user; the answers are texts."""
        return self._pair(cells, self._prompt(cells), self._answer(cells, "chosen"))

    def _pair(self, cells: ChatCells, found: Talk | None, chosen: str | None) -> Conversation | None:
        rejected, tools = self._answer(cells, "rejected"), cells.tools()
        if found is None or not chosen or not rejected or tools is None:
            return None
        if chosen == rejected:
            message = say("The chosen and the rejected answer are the same: there is nothing to learn.")
            cells.drop("same-answers", message, say("Take the row out."))
            return None
        system = found.system or cells.system()
        return Conversation(found.turns, system, tools or found.tools, chosen, rejected, line=cells.row.line)

    def _prompt(self, cells: ChatCells) -> Talk | None:
        mapping = cells.detection.mapping
        if _is_whole(cells.value("chosen")) and _is_whole(cells.value("rejected")):
            return _shared(cells)
        if "prompt" in mapping:
            return cells.question("prompt", "input")
        if "conversations" in mapping:
            return cells.turns("conversations", answered=False)
        return _shared(cells)

    @staticmethod
    def _answer(cells: ChatCells, role: str) -> str | None:
        """A text, a turn, or the last turn of a list or of a written dialogue; None, and reported, if empty."""
        text = last_text(cells.value(role))
        written = split_dialogue(text) if text else None
        if written and written[-1][0] == "assistant":
            text = written[-1][1]
        if text is None:
            cells.drop("not-text", say("The {role} answer is no text; the row is left out.", role=role))
        elif not text.strip():
            cells.drop("empty-answer", say("The answer is empty."))
        return text or None


def last_text(value: Any) -> str | None:
    """The text of an answer that is a text, a turn, or a list whose last item is the answer's turn."""
    found = parse_nested(value)
    if isinstance(found, list) and len(found) == 1 and isinstance(found[0], list):  # one list of several answers
        found = found[0]
    if isinstance(found, list) and found and isinstance(found[-1], dict):
        found = found[-1]
    if isinstance(found, dict):
        return text_of(found.get("content", found.get("value", found.get("text"))))
    return text_of(value)


def _is_whole(value: Any) -> bool:
    """Whether an answer stands at the end of its whole conversation."""
    if isinstance(value, str):
        return split_dialogue(value) is not None
    first = value[0] if isinstance(value, list) and len(value) > 1 and is_turns(value) else None
    return isinstance(first, dict) and part_of(first.get("role", first.get("from", ""))) in ("user", "system")


def _shared(cells: ChatCells) -> Talk | None:
    """The turns that both answers begin with, as in TRL's implicit prompts."""
    chosen, rejected = cells.turns("chosen", answered=True), cells.turns("rejected", answered=True)
    if chosen is None or rejected is None:
        return None
    if chosen.turns[:-1] != rejected.turns[:-1]:
        message = say("The chosen and the rejected conversation differ before their last turn; the row is left out.")
        cells.drop("different-prompts", message)
        return None
    return Talk(chosen.turns[:-1], chosen.system)


def _conversations(table: Table, column: str) -> bool:
    """Whether a column holds whole conversations: turns, or dialogues written into a text."""
    values = [parse_nested(value) for value in table.values(column)]
    return bool(values) and sum(map(_is_whole, values)) > len(values) / 2


class RejectedAnswer(Preference):
    """A conversation whose last answer was chosen, and beside it the one that was rejected (ms-swift)."""

    name: ClassVar[str] = "rejected_answer"
    title: ClassVar[str] = N_("Conversations with a rejected answer")
    description: ClassVar[str] = N_("A conversation that ends with the chosen answer, and a rejected one in each row.")
    roles: ClassVar[tuple[Role, ...]] = (
        Role("conversations", names="llm_turns"),
        Role("rejected", names="llm_rejected"),
        SYSTEM,
        TOOLS,
    )

    def settled(self, mapping: Mapped, table: Table) -> Mapped:
        """The conversation is needed here."""
        return mapping

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """Where no column of chosen answers stands beside."""
        return not guesses("llm_chosen", table.columns) and bool(first_turns(table, mapping["conversations"][0]))

    def conversation(self, cells: ChatCells) -> Conversation | None:
        """The last answer of the conversation is the chosen one."""
        found = cells.turns("conversations", answered=True)
        if found is None:
            return None
        return self._pair(cells, replace(found, turns=found.turns[:-1]), found.turns[-1].text)


class ComparedAnswers(Preference):
    """A prompt with two answers in columns of their own, and a column that says which is the better one."""

    name: ClassVar[str] = "compared_answers"
    title: ClassVar[str] = N_("Two answers and which is better")
    description: ClassVar[str] = N_("A prompt, two answers (A and B), and which of them is the better one in each row.")
    roles: ClassVar[tuple[Role, ...]] = (
        Role("answers", many=True),
        Role("better"),
        Role("prompt", required=False, names="llm_asked"),
        Role("input", required=False, names="llm_input"),
        SYSTEM,
        HISTORY,
        TOOLS,
    )

    def settled(self, mapping: Mapped, table: Table) -> Mapped:
        """Nothing stands beside the two."""
        return mapping

    def assumed(self, mapping: Mapped, table: Table) -> bool:
        """By its names alone, which :func:`tunewiz.data.opening.choosing.choice_match` looks at."""
        return False

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """Of two answers, with a prompt or at the ends of whole conversations, one is said to be the better."""
        pair = mapping["answers"]
        said = [side(value, pair) for value in table.values(mapping["better"][0])]
        prompted = "prompt" in mapping or all(_conversations(table, column) for column in pair)
        return len(pair) == 2 and prompted and (not table.rows or bool({0, 1} & set(said)))

    def conversation(self, cells: ChatCells) -> Conversation | None:
        """The better answer is the chosen one; a row in which neither is better teaches nothing."""
        pair = cells.detection.mapping["answers"]
        better = side(cells.value("better"), pair)
        if better not in (0, 1):
            message = say("Neither answer is said to be the better one; the row is left out.")
            cells.drop("no-better-answer", message)
            return None
        answers = {"chosen": (pair[better],), "rejected": (pair[1 - better],)}
        detection = replace(cells.detection, mapping={**cells.detection.mapping, **answers})
        return super().conversation(replace(cells, detection=detection))


# KTO: an answer and whether it was good, without another one to compare it with.


_JUDGED: Final = 0.5  # of the rows


class Kto(ConversationFormat):
    """A conversation, or a prompt and its completion, with a yes or no."""

    name: ClassVar[str] = "kto"
    title: ClassVar[str] = N_("Judged answers (KTO)")
    description: ClassVar[str] = N_("A conversation and whether its last answer is good (true or false) in each row.")
    roles: ClassVar[tuple[Role, ...]] = (
        Role("desirable", names="llm_desirable"),
        Role("conversations", required=False, names="llm_turns"),
        Role("prompt", required=False, names="llm_asked"),
        Role("completion", required=False, names="llm_answered"),
        Role("input", required=False, names="llm_input"),
        SYSTEM,
        HISTORY,
        TOOLS,
    )

    def fits(self, role: Role, column: str, table: Table) -> bool:
        """The judgment is yes or no in each row of the sample."""
        values = table.values(column)
        if role.name == "desirable":
            return bool(values) and all(verdict_of(value) is not None for value in values)
        return True

    def assumed(self, mapping: Mapped, table: Table) -> bool:
        """Only where most rows are judged: the others would be left out."""
        judged = table.filled(mapping["desirable"][0])
        return super().assumed(mapping, table) and (judged >= _JUDGED or table.source.format == self.name)

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """With turns, or with a prompt and a completion."""
        if "conversations" in mapping:
            return bool(first_turns(table, mapping["conversations"][0]))
        return "prompt" in mapping and "completion" in mapping

    def conversation(self, cells: ChatCells) -> Conversation | None:
        """The prompt ends with the user; the last answer stands apart."""
        good = verdict_of(cells.value("desirable"))
        if good is None:
            message = say("{value} is neither yes nor no; the row is left out.", value=str(cells.value("desirable")))
            cells.drop("bad-judgment", message, say("Write true or false."))
            return None
        found, tools = self._talk(cells), cells.tools()
        if found is None or tools is None:
            return None
        *prompt, answer = found.turns
        return Conversation(
            turns=tuple(prompt),
            system=found.system or cells.system(),
            tools=tools or found.tools,
            answer=answer.text,
            desirable=good,
            line=cells.row.line,
        )

    @staticmethod
    def _talk(cells: ChatCells) -> Talk | None:
        if "conversations" in cells.detection.mapping:
            return cells.turns("conversations", answered=True)
        return cells.exchange(("prompt", "input"), "completion")
