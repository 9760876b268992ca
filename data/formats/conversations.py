"""What formats for language models share: the roles that several have, and how their cells become conversations."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from tunewiz.data.formats.format import Detection, Format, Role, Shape
from tunewiz.data.reading.cells import Cells, Table, parse_nested
from tunewiz.data.reading.records import read
from tunewiz.data.reading.source import Row, Source
from tunewiz.data.reading.turns import Talk, talk, tool_list
from tunewiz.data.rows.conversations import Conversation, Turn
from tunewiz.problems import Message, Report, say, warning

SYSTEM: Final = Role("system", required=False, names="llm_system")
HISTORY: Final = Role("history", required=False, names="llm_history")
TOOLS: Final = Role("tools", required=False, names="llm_tools")


@dataclass(frozen=True)
class ChatCells(Cells):
    """The cells of one row by the roles of a detection."""

    detection: Detection

    def value(self, role: str) -> Any:
        """What the (first) column of ``role`` holds, lists and objects in text as such; None if there is none."""
        return parse_nested(self.row.values.get(self.detection.column(role)))

    def string(self, role: str) -> str | None:
        """The text of ``role``, several columns on lines of their own; "" if empty, None (reported) if it is none."""
        texts = [self.text(column) for column in self.detection.mapping.get(role, ())]
        known = [text for text in texts if text is not None]
        return "\n".join(text for text in known if text) if len(known) == len(texts) else None

    def drop(self, code: str, told: Message, fix: Message | None = None) -> None:
        """Report that the row cannot be used."""
        self.report(warning(code, told, self.source.at(self.row.line), fix))

    def asked(self, *roles: str) -> str | None:
        """The texts of ``roles`` under each other as a question; None, and reported, if there is nothing in them."""
        texts = [self.string(role) for role in roles]
        known = [text for text in texts if text is not None]
        if len(known) < len(texts):
            return None
        question = "\n".join(text for text in known if text.strip())
        if not question:
            self.drop("empty-query", say("The question is empty."))
        return question or None

    def answered(self, role: str) -> str | None:
        """The text of ``role`` as an answer; None, and reported, if there is nothing in it."""
        text = self.string(role)
        if text == "":
            self.drop("empty-answer", say("The answer is empty."))
        return text or None

    def history(self) -> tuple[Turn, ...] | None:
        """Earlier turns, from pairs of question and answer or a list of turns; None, and reported, if broken."""
        value = self.value("history")
        if value is None or value in ("", []):
            return ()
        found = talk(value, self.source.at(self.row.line), self.report)
        return found.turns if found else None

    def turns(self, role: str, answered: bool) -> Talk | None:
        """The conversation in the column of ``role``; see :func:`tunewiz.data.reading.turns.talk`."""
        return talk(self.value(role), self.source.at(self.row.line), self.report, answered)

    def tools(self) -> str | None:
        """The tools that may be called, as JSON; None, and reported, if they are no such."""
        found = tool_list(self.row.values.get(self.detection.column("tools")))
        if found is None:
            message = say("The tools are no JSON list of objects with a name; the row is left out.")
            self.drop("bad-tools", message)
        return found


class ConversationFormat(Format):
    """Formats whose records are conversations, or texts, for a language model."""

    tasks: ClassVar[frozenset[str]] = frozenset({"llm"})
    shape: ClassVar[Shape] = "conversations"

    def fits(self, role: Role, column: str, table: Table) -> bool:
        """As :meth:`Format.fits`; a list of one text is that text."""
        if super().fits(role, column, table):
            return True
        values = [parse_nested(value) for value in table.values(column)]
        return all(isinstance(value, list) and len(value) == 1 and isinstance(value[0], str) for value in values)

    def plain(self, source: Source) -> Detection | None:
        """A source without a table of rows as this format; None when it is another."""
        return None

    def rows(self, detection: Detection, report: Report) -> Iterator[Row]:
        """The records of the source."""
        return read(detection.source, report)

    def conversations(self, detection: Detection, rows: Iterable[Row], report: Report) -> Iterator[Conversation]:
        """A :class:`Conversation` for each row that has one."""
        for row in rows:
            found = self.conversation(ChatCells(detection.source, row, report, detection))
            if found is not None:
                yield found

    @abstractmethod
    def conversation(self, cells: ChatCells) -> Conversation | None:
        """The row as a conversation; None, and reported, if it cannot be trained on."""
