"""Answers that were judged: a chosen and a rejected one (DPO and the like), or one and whether it was good (KTO)."""

from __future__ import annotations

from typing import Any, ClassVar

from tunewiz.data.formats.conversations import HISTORY, SYSTEM, TOOLS, ChatCells, ConversationFormat
from tunewiz.data.formats.format import Mapped, Role
from tunewiz.data.reading.cells import Table, parse_nested, score_of
from tunewiz.data.reading.turns import Talk, first_turns, text_of
from tunewiz.data.rows.conversations import Conversation, Turn
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

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """With a prompt, or with answers that are whole conversations."""
        if not table.rows or "prompt" in mapping or "conversations" in mapping:
            return "prompt" in mapping or "conversations" in mapping
        return all(first_turns(table, mapping[role][0]) for role in ("chosen", "rejected"))

    def conversation(self, cells: ChatCells) -> Conversation | None:
        """The prompt ends with the user; the answers are texts."""
        found = self._prompt(cells)
        chosen, rejected = self._answer(cells, "chosen"), self._answer(cells, "rejected")
        system, tools = cells.string("system"), cells.tools()
        if found is None or not chosen or not rejected or system is None or tools is None:
            return None
        if chosen == rejected:
            message = say("The chosen and the rejected answer are the same: there is nothing to learn.")
            cells.drop("same-answers", message, say("Take the row out."))
            return None
        turns, own_system = found.turns, found.system
        return Conversation(turns, own_system or system, tools, chosen, rejected, line=cells.row.line)

    def _prompt(self, cells: ChatCells) -> Talk | None:
        mapping = cells.detection.mapping
        if "conversations" in mapping:
            return cells.turns("conversations", answered=False)
        if "prompt" not in mapping:
            return _shared(cells)
        if isinstance(cells.value("prompt"), list):
            return cells.turns("prompt", answered=False)
        question, history = cells.asked("prompt", "input"), cells.history()
        return Talk((*history, Turn("user", question))) if question and history is not None else None

    @staticmethod
    def _answer(cells: ChatCells, role: str) -> str | None:
        """A text, a turn, or the last turn of a list; None, and reported, if empty."""
        text = last_text(cells.value(role))
        if text is None:
            cells.drop("not-text", say("The {role} answer is no text; the row is left out.", role=role))
        elif not text.strip():
            cells.drop("empty-answer", say("The answer is empty."))
        return text or None


def last_text(value: Any) -> str | None:
    """The text of an answer that is a text, a turn, or a list whose last item is the answer's turn."""
    found = parse_nested(value)
    if isinstance(found, list) and found and isinstance(found[-1], dict):
        found = found[-1]
    if isinstance(found, dict):
        return text_of(found.get("content", found.get("value")))
    return text_of(value)


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


# KTO: an answer and whether it was good, without another one to compare it with.


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
        return role.name != "desirable" or (bool(values) and all(score_of(value) in (0.0, 1.0) for value in values))

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """With turns, or with a prompt and a completion."""
        if "conversations" in mapping:
            return bool(first_turns(table, mapping["conversations"][0]))
        return "prompt" in mapping and "completion" in mapping

    def conversation(self, cells: ChatCells) -> Conversation | None:
        """The prompt ends with the user; the last answer stands apart."""
        score = score_of(cells.value("desirable"))
        if score not in (0.0, 1.0):
            message = say("{value} is neither yes nor no; the row is left out.", value=str(cells.value("desirable")))
            cells.drop("bad-judgment", message, say("Write true or false."))
            return None
        found, system, tools = self._talk(cells), cells.string("system"), cells.tools()
        if found is None or system is None or tools is None:
            return None
        *prompt, answer = found.turns
        return Conversation(
            turns=tuple(prompt),
            system=found.system or system,
            tools=tools,
            answer=answer.text,
            desirable=score == 1.0,
            line=cells.row.line,
        )

    @staticmethod
    def _talk(cells: ChatCells) -> Talk | None:
        if "conversations" in cells.detection.mapping:
            return cells.turns("conversations", answered=True)
        question, history = cells.asked("prompt", "input"), cells.history()
        answer = cells.answered("completion") if question else None
        if not question or not answer or history is None:
            return None
        return Talk((*history, Turn("user", question), Turn("assistant", answer)))
