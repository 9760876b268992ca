"""KTO: an answer and whether it was good, without another one to compare it with."""

from __future__ import annotations

from typing import ClassVar

from data.conversations import Conversation, Turn
from data.formats.base import Mapped, Role
from data.formats.chat import HISTORY, SYSTEM, TOOLS, ChatCells, ConversationFormat
from data.formats.turn_lists import first_turns
from data.language import N_
from data.problems import say
from data.table import Table, score_of
from data.turns import Talk


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
            told = say("{value} is neither yes nor no; the row is left out.", value=str(cells.value("desirable")))
            cells.drop("bad-judgment", told, say("Write true or false."))
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
