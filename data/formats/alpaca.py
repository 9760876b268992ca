"""Alpaca: an instruction, perhaps an input, and the output."""

from __future__ import annotations

from typing import ClassVar

from data.conversations import Conversation, Turn
from data.formats.base import Role
from data.formats.chat import HISTORY, SYSTEM, TOOLS, ChatCells, ConversationFormat
from data.language import N_


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
        return single(cells, ("instruction", "input"), "output")


def single(cells: ChatCells, asked: tuple[str, ...], answered: str) -> Conversation | None:
    """A row with one question (the roles ``asked``) and one answer, and what went before."""
    question = cells.asked(*asked)
    answer = cells.answered(answered) if question else None
    history, system, tools = cells.history(), cells.string("system"), cells.tools()
    if not question or not answer or history is None or system is None or tools is None:
        return None
    turns = (*history, Turn("user", question), Turn("assistant", answer))
    return Conversation(turns, system, tools, line=cells.row.line)
