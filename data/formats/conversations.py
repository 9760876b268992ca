"""What formats for language models share: the roles that several have, and how their cells become conversations."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from tunewiz.data.dialogues.markup import split_dialogue, spoken
from tunewiz.data.formats.choices import right_places, texts_offered
from tunewiz.data.formats.format import Detection, Format, Role, Shape
from tunewiz.data.reading.cells import Cells, Table, is_empty, parse_nested
from tunewiz.data.reading.expressions import passages_text, value_at
from tunewiz.data.reading.source import Row
from tunewiz.data.reading.turns import Talk, is_turns, talk, text_of, thought, tool_list
from tunewiz.data.rows.conversations import Conversation, Turn, plain_exchange
from tunewiz.problems import Message, Report, note, say, warning

SYSTEM: Final = Role("system", required=False, names="llm_system")
HISTORY: Final = Role("history", required=False, names="llm_history")
TOOLS: Final = Role("tools", required=False, names="llm_tools")
REASONING: Final = Role("reasoning", required=False, names="llm_reasoning")
CHOICES: Final = Role("choices", required=False, many=True, names="llm_choices")

#: What programs write into cells that hold nothing: pandas, SQL, Python, Excel.
_NOTHING: Final = frozenset(("nan", "<na>", "#n/a", "nat", "null", "none", "nil", "n/a", "na", "undefined", "(null)"))
#: Objects and lists that hold nothing.
_HOLLOW: Final = frozenset(("{}", "[]", "[{}]"))
#: And those of them that are never an answer.
_NEVER: Final = frozenset(("nan", "<na>", "#n/a", "nat", "undefined", "(null)"))
_OPTIONAL: Final = frozenset(("input", "system", "history", "tools", "reasoning", "choices"))


def is_nothing(role: str, text: str) -> bool:
    """Whether ``text`` in a cell of ``role`` is what a program writes for none (``nan``, ``NULL``)."""
    bare = text.strip().casefold()
    return bare in (_NOTHING if role in _OPTIONAL else _NEVER)


@dataclass(frozen=True)
class ChatCells(Cells):
    """The cells of one row by the roles of a detection."""

    detection: Detection

    def value(self, role: str) -> Any:
        """What the (first) column of ``role`` holds, lists and objects in text as such; None if there is none."""
        if role not in self.detection.mapping:
            return None
        found = parse_nested(value_at(self.row.values, self.detection.column(role)))
        return "" if isinstance(found, str) and self._is_nothing(role, found) else found

    def _is_nothing(self, role: str, text: str) -> bool:
        """Whether a cell holds ``nan`` or the like, which is reported."""
        if not is_nothing(role, text):
            return False
        message = say("A cell of {role} holds {text} and is read as empty.", role=role, text=text.strip())
        fix = say("Write nothing where nothing is meant (pandas: fillna('')).")
        self.report(warning("nan-text", message, self.source.at(self.row.line), fix))
        return True

    def string(self, role: str) -> str:
        """The text of ``role``, several columns on lines of their own; objects and lists as JSON; "" if empty."""
        texts = [self._plain(role, column) for column in self.detection.mapping.get(role, ())]
        return "\n".join(text for text in texts if text)

    def _plain(self, role: str, column: str) -> str:
        value = value_at(self.row.values, column)
        if is_empty(value) or (role in _OPTIONAL and isinstance(value, str) and value.strip() in _HOLLOW):
            return ""
        if isinstance(value, (list, tuple)) and len(value) == 1 and isinstance(value[0], str):
            return value[0]
        if isinstance(value, dict) and isinstance(value.get("text"), list) and "answer_start" in value:  # SQuAD
            return str(next(iter(value["text"]), ""))
        if role in ("input", "prompt", "instruction") and (passages := passages_text(value)) is not None:
            return passages
        if isinstance(value, (list, tuple, dict)):
            return json.dumps(value, ensure_ascii=False)
        if "choices" in self.detection.mapping and role in ("output", "completion"):
            value = self._lettered(column)
        text = value if isinstance(value, str) else str(value)
        return "" if self._is_nothing(role, text) else text

    def _lettered(self, column: str) -> Any:
        """The letter of the right choice, where its number or its label is told."""
        value, offered = value_at(self.row.values, column), self.detection.mapping["choices"]
        if str(value).strip() in texts_offered(self.row.values, offered):
            return value
        numbered = (
            self.detection.first is not None or type(value) is int or (isinstance(value, str) and value.isdecimal())
        )
        places = right_places(self.row.values, offered, column, self.detection.first or 0) if numbered else None
        # A number that counts no choice is no answer; the row is left out as one without.
        return _letter(places[0]) if places else "" if self.detection.first is not None else value

    def drop(self, code: str, told: Message, fix: Message | None = None) -> None:
        """Report that the row cannot be used."""
        self.report(warning(code, told, self.source.at(self.row.line), fix))

    def asked(self, *roles: str) -> str | None:
        """The texts of ``roles`` under each other as a question; None, and reported, if there is nothing in them."""
        texts = [self.string(role) for role in roles]
        question = "\n".join(text for text in (*texts, self._choices()) if text.strip())
        if not question:
            self.drop("empty-query", say("The question is empty."))
        return question or None

    def _choices(self) -> str:
        """The choices of a question, a line each with its letter."""
        columns = self.detection.mapping.get("choices", ())
        texts = texts_offered(self.row.values, columns)
        if not texts:
            return "\n".join(str(value) for column in columns if (value := self.row.values.get(column)))
        return "\n".join(f"{_letter(index)}. {text}" for index, text in enumerate(texts) if text)

    def answered(self, role: str) -> str | None:
        """The text of ``role`` as an answer, with what was thought; None, and reported, if there is nothing in it."""
        text = self.string(role)
        if not text:
            self.drop("empty-answer", say("The answer is empty."))
        return thought(self.string("reasoning"), text) if text else None

    def history(self) -> tuple[Turn, ...] | None:
        """Earlier turns, from pairs of question and answer or a list of turns; None, and reported, if broken."""
        value = self.value("history")
        if value is None or value in ("", []):
            return ()
        found = talk(value, self.source.at(self.row.line), self.report, said=self.source.speakers)
        return found.turns if found else None

    def turns(self, role: str, answered: bool) -> Talk | None:
        """The conversation in the column of ``role``; see :func:`tunewiz.data.reading.turns.talk`."""
        return self.talk(self.value(role), answered)

    def talk(self, value: Any, answered: bool) -> Talk | None:
        """The conversation that ``value`` holds."""
        return talk(value, self.source.at(self.row.line), self.report, answered, self.source.speakers)

    def question(self, *roles: str) -> Talk | None:
        """The prompt of ``roles``: a text, a list of turns, or a dialogue written into one text; None if there is none.

        Earlier turns stand before it. It ends with the user or a tool.
        """
        value = self.value(roles[0])
        if isinstance(value, dict) and _holds_turns(value.get("messages")):  # OpenAI's files of preferences
            found = self.talk(value["messages"], answered=False)
            tools = tool_list(value.get("tools") or [])
            return replace(found, tools=found.tools or tools or "") if found else None
        if _holds_turns(value):
            return self.talk(value, answered=False)
        question, history = self.asked(*roles), self.history()
        if not question or history is None:
            return None
        written = split_dialogue(question, sure=True)
        open_end = written is not None and written[-1:] == [("assistant", "")]
        if written and open_end:
            written.pop()
        if written and written[-1][0] == "user" and (len(written) > 1 or open_end):
            told = say("The prompt holds a dialogue, written out; its turns are read as such.")
            self.report(note("prompt-dialogue", told, self.source.at(self.row.line)))
            items = [{"role": part, "content": text} for part, text in written]
            found = self.talk(items, answered=False)
            return replace(found, turns=(*history, *found.turns)) if found else None
        return Talk((*history, Turn("user", question)))

    def exchange(self, asked: tuple[str, ...], answered: str) -> Talk | None:
        """A prompt and its completion, either of which may be a text or a list of turns; None, and reported, if not."""
        prompt = self.question(*asked)
        if prompt is None:
            return None
        value = self.value(answered)
        value = [value] if isinstance(value, dict) else value
        if not _holds_turns(value):
            answer = self.answered(answered)
            return replace(prompt, turns=(*prompt.turns, Turn("assistant", answer))) if answer else None
        names = {"call": "function_call"}
        items = [
            {"role": names.get(turn.speaker, turn.speaker), "content": turn.text, "weight": int(turn.learned)}
            for turn in prompt.turns
        ]
        found = self.talk([*items, *value], answered=True)
        if found is None:
            return None
        return replace(found, system=prompt.system or found.system, tools=prompt.tools or found.tools)

    def system(self) -> str:
        """The system prompt in a column of its own, without the name (``SYSTEM:``) that it may begin with."""
        if "system" not in self.detection.mapping:
            return ""
        value = self.value("system")
        parts = text_of(value) if isinstance(value, (list, dict)) else None
        text = self.string("system") if parts is None else parts
        part, said = spoken(text)
        return said if part == "system" else text

    def tools(self) -> str | None:
        """The tools that may be called, as JSON; None, and reported, if they are no such."""
        found = tool_list(self.value("tools"))
        if found is None:
            message = say("The tools are no JSON list of objects with a name; the row is left out.")
            self.drop("bad-tools", message)
        return found

    def supervised(self, found: Talk | None) -> Conversation | None:
        """A conversation that ends with an answer as a row, with the system prompt and the tools beside it."""
        tools = self.tools()
        if found is None or tools is None:
            return None
        return Conversation(found.turns, found.system or self.system(), tools or found.tools, line=self.row.line)


def _letter(index: int) -> str:
    """The letter of a choice; MMLU and its like count them from 0."""
    return chr(ord("A") + index) if 0 <= index < 26 else str(index)


def _holds_turns(value: Any) -> bool:
    """Whether a cell that may hold a text holds objects that tell who speaks instead."""
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and is_turns(value)


#: Roles of a prompt and of its completion, in formats whose rows are what :meth:`ChatCells.exchange` makes of them.
_EXCHANGES: Final = (("prompt", "completion"), ("instruction", "output"))
_SHORT: Final = 9  # the longest of what programs write for nothing
_HEAD: Final = 200  # characters that the mark of a dialogue's first turn stands in


def _two_columns(detection: Detection) -> tuple[str, str]:
    """The columns of prompt and completion, where rows have nothing else; ("", "") otherwise."""
    for asked, answered in _EXCHANGES:
        if detection.mapping.keys() == {asked, answered} and all(len(one) == 1 for one in detection.mapping.values()):
            return detection.column(asked), detection.column(answered)
    return "", ""


def _is_plain(text: str) -> bool:
    """Whether ``text`` is seen at a glance to be no list, no dialogue and not nothing: nearly always."""
    if len(text) <= _SHORT or not text[0].isalnum() or "<" in text or "[" in text or "##" in text:
        return False
    head = text[:_HEAD]
    return ":" not in head and "：" not in head


class ConversationFormat(Format):
    """Formats whose records are conversations, or texts, for a language model."""

    tasks: ClassVar[frozenset[str]] = frozenset({"llm"})
    shape: ClassVar[Shape] = "conversations"
    #: Roles that may hold turns or objects as well as texts.
    nested: ClassVar[frozenset[str]] = frozenset(
        ("tools", "history", "choices", "reasoning", "instruction", "prompt", "input", "output", "completion")
    )

    def fits(self, role: Role, column: str, table: Table) -> bool:
        """As :meth:`Format.fits`; a list of one text is that text."""
        if role.name in self.nested or super().fits(role, column, table):
            return True
        values = [parse_nested(value) for value in table.values(column)]
        return all(isinstance(value, list) and len(value) == 1 and isinstance(value[0], str) for value in values)

    def conversations(self, detection: Detection, rows: Iterable[Row], report: Report) -> Iterator[Conversation]:
        """A :class:`Conversation` for each row that has one."""
        glance = self.at_a_glance(detection)
        for row in rows:
            found = glance(row)
            if found is None:
                found = self.conversation(ChatCells(detection.source, row, report, detection))
            if found is not None:
                yield found

    def at_a_glance(self, detection: Detection) -> Callable[[Row], Conversation | None]:
        """What reads plain rows as :meth:`conversation` does, in a fraction of the time; None of all others."""
        asked, answered = _two_columns(detection)

        def read_plain(row: Row) -> Conversation | None:
            question, answer = row.values.get(asked), row.values.get(answered)
            if type(question) is type(answer) is str and _is_plain(question) and _is_plain(answer):
                return plain_exchange(question, answer, row.line)
            return None

        return read_plain

    @abstractmethod
    def conversation(self, cells: ChatCells) -> Conversation | None:
        """The row as a conversation; None, and reported, if it cannot be trained on."""
