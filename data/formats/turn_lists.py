"""Conversations as lists of turns: ShareGPT's ``from`` and ``value``, OpenAI's ``role`` and ``content``."""

from __future__ import annotations

from typing import Any, ClassVar

from data.conversations import Conversation
from data.formats.base import Mapped, Role
from data.formats.chat import SYSTEM, TOOLS, ChatCells, ConversationFormat
from data.language import N_
from data.nested import nested
from data.table import Table


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


def first_turns(table: Table, column: str) -> list[Any]:
    """The turns of the first row of ``column`` that has any."""
    found = (nested(value) for value in table.values(column))
    turns = (value for value in found if isinstance(value, list) and value)
    return next((value for value in turns if isinstance(value[0], (dict, list))), [])
