"""Turns of a conversation and calls of tools, whoever wrote them down how, brought into one order and checked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

from tunewiz.data.reading.cells import Table, parse_nested
from tunewiz.data.rows.conversations import Speaker, Turn
from tunewiz.problems import Problem, Where, say, warning


def tool_list(value: Any) -> str | None:
    """The tools a conversation may call, as a JSON list of objects with a name; "" for none, None if it is no such.

    OpenAI's ``{"type": "function", "function": {...}}`` becomes the inner object.
    """
    found = parse_nested(value)
    if found is None or found in ("", [], {}):
        return ""
    listed = found if isinstance(found, list) else [found]
    inner = [tool.get("function", tool) if isinstance(tool, Mapping) else tool for tool in listed]
    if not all(isinstance(tool, Mapping) and isinstance(tool.get("name"), str) for tool in inner):
        return None
    return json.dumps(inner, ensure_ascii=False)


def call_text(value: Any) -> str | None:
    """Calls of tools as JSON text: an object with name and arguments, or a list of several; None if it is no such."""
    found = parse_nested(value)
    listed = found if isinstance(found, list) else [found]
    calls = [_call(item) for item in listed]
    good = [call for call in calls if call is not None]
    if not good or len(good) < len(calls):
        return None
    return json.dumps(good[0] if len(good) == 1 else good, ensure_ascii=False)


def _call(item: Any) -> dict[str, Any] | None:
    inner = item.get("function", item) if isinstance(item, Mapping) else None
    if not isinstance(inner, Mapping) or not isinstance(inner.get("name"), str):
        return None
    arguments = parse_nested(inner.get("arguments", inner.get("parameters")))
    return {"name": inner["name"], "arguments": {} if arguments in (None, "") else arguments}


def text_of(value: Any) -> str | None:
    """The text of a turn: a text, or a list of parts that are all text; None where a part is something else."""
    if value is None:
        return ""
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, Mapping):
        return _part(value)
    if isinstance(value, Sequence):
        parts = [_part(part) for part in value]
        texts = [part for part in parts if part is not None]
        return "\n".join(texts) if len(texts) == len(parts) else None
    return None


def _part(part: Any) -> str | None:
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping) or part.get("type", "text") not in ("text", "input_text", "output_text"):
        return None
    text = part.get("text", part.get("value"))
    return text if isinstance(text, str) else None


Report = Callable[[Problem], None]

_SPEAKERS: Final[Mapping[str, Speaker | str]] = {
    "user": "user",
    "human": "user",
    "用户": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "助手": "assistant",
    "system": "system",
    "developer": "system",
    "系统": "system",
    "tool": "tool",
    "observation": "tool",
    "tool_response": "tool",
    "function_response": "tool",
    "function": "call",
    "function_call": "call",
    "tool_call": "call",
}
#: Objects that hold a question and its answer rather than one turn.
_PAIRS: Final = (
    ("human", "assistant"),
    ("user", "assistant"),
    ("user", "bot"),
    ("human", "gpt"),
    ("query", "response"),
    ("prompt", "response"),
    ("question", "answer"),
    ("instruction", "output"),
    ("问", "答"),
)
ANSWERS: Final = ("assistant", "call")


@dataclass(frozen=True)
class Talk:
    """Turns in order, and what the system said."""

    turns: tuple[Turn, ...]
    system: str = ""

    @property
    def answered(self) -> bool:
        """Whether the last word is the assistant's."""
        return bool(self.turns) and self.turns[-1].speaker in ANSWERS


class _Raw:
    """Turns as they are read."""

    def __init__(self, where: Where, report: Report) -> None:
        self.turns: list[Turn] = []
        self.system: list[str] = []
        self.where = where
        self.report = report

    def add(self, item: Any) -> bool:
        """Take one item of the list; False, and reported, if it cannot be read."""
        if isinstance(item, (list, tuple)) and len(item) == 2:
            return self._turn("user", item[0]) and self._turn("assistant", item[1])
        if not isinstance(item, Mapping):
            return self._odd("")
        name = item.get("role", item.get("from"))
        if name is None:
            return self._pair(item)
        speaker = _SPEAKERS.get(str(name), "")
        calls = item.get("tool_calls") or item.get("function_call")
        if speaker == "assistant" and calls:
            return self._call(calls)
        # OpenAI's older name for a tool's answer; ShareGPT's "function" is a call.
        if name == "function" and "role" in item:
            speaker = "tool"
        content = item.get("content", item.get("value", item.get("text")))
        if speaker == "call":
            return self._call(content)
        return self._turn(speaker, content) if speaker else self._odd(str(name))

    def _pair(self, item: Mapping[str, Any]) -> bool:
        for asked, answered in _PAIRS:
            if asked in item and answered in item:
                if item.get("system"):
                    self._turn("system", item["system"])
                return self._turn("user", item[asked]) and self._turn("assistant", item[answered])
        return self._odd("")

    def _turn(self, speaker: str, content: Any) -> bool:
        text = text_of(content)
        if text is None:
            message = say("A turn of {role} holds something other than text, a picture perhaps.", role=speaker)
            fix = say("Only text can be trained on; the row is left out.")
            self.report(warning("not-text", message, self.where, fix))
            return False
        if speaker == "system":
            self.system += [text] if text.strip() else []
        elif speaker == "tool" and self.turns and self.turns[-1].speaker == "tool":
            self.turns[-1] = replace(self.turns[-1], text=f"{self.turns[-1].text}\n{text}")
        else:
            self.turns.append(Turn(speaker, text))  # type: ignore[arg-type]  # one of _SPEAKERS
        return True

    def _call(self, calls: Any) -> bool:
        text = call_text(calls)
        if text is None:
            message = say("A call of a tool is not JSON with a name and arguments; the row is left out.")
            fix = say('Write {{"name": "...", "arguments": {{...}}}}.')
            self.report(warning("bad-tool-call", message, self.where, fix))
            return False
        self.turns.append(Turn("call", text))
        return True

    def _odd(self, name: str) -> bool:
        message = say("A turn is by {role}, which is no usual role.", role=name or "-")
        self.report(warning("unknown-role", message, self.where, say("Use user and assistant, or human and gpt.")))
        return False


def talk(value: Any, where: Where, report: Report, answered: bool = True) -> Talk | None:
    """The conversation that ``value`` (a list of turns, or that as text) holds; None, and reported, if it has none.

    ``answered`` says that it has to end with an answer: a last question without one is cut off, with a warning.
    Without it, the conversation is a prompt and has to end with the user or a tool.

    Codes: ``unknown-role``, ``not-text``, ``bad-tool-call``, ``assistant-first``, ``repeated-role``,
    ``tool-without-call``, ``no-answer``, ``unanswered-turn``, ``empty-query``, ``empty-answer``, ``answered-prompt``.
    """
    found = parse_nested(value)
    raw = _Raw(where, report)
    if not isinstance(found, list):
        report(warning("unknown-role", say("The conversation is no list of turns."), where))
        return None
    if not all(raw.add(item) for item in found):
        return None
    problem = _order(raw.turns, where)
    if problem is None and answered:
        problem = _cut_unanswered(raw)
    elif problem is None and raw.turns and raw.turns[-1].speaker in ANSWERS:
        message = say("The prompt ends with an answer; the answers stand in columns of their own.")
        problem = warning("answered-prompt", message, where, say("Take its last turn out."))
    problem = problem or _empty(raw.turns, where)
    if problem is not None:
        report(problem)
        return None
    return Talk(tuple(raw.turns), "\n".join(raw.system))


def _order(turns: list[Turn], where: Where) -> Problem | None:
    """Why the order of turns cannot be trained on, if it cannot."""
    if turns and turns[0].speaker in ANSWERS:
        message = say("The conversation starts with the assistant.")
        return warning("assistant-first", message, where, say("Start with the user, or take the turn out."))
    if turns and turns[0].speaker == "tool":
        return warning("tool-without-call", say("A tool answers that was not called."), where)
    for one, other in pairwise(turns):
        if other.speaker == "tool" and one.speaker != "call":
            return warning("tool-without-call", say("A tool answers that was not called."), where)
        if (one.speaker in ANSWERS) != (other.speaker in ANSWERS):
            continue
        if one.speaker == other.speaker:
            message = say("Two turns of {role} follow each other.", role=one.speaker)
            return warning("repeated-role", message, where, say("Join them, or take one out."))
        message = say("{role} speaks after {other}; questions and answers should alternate.", role=other.speaker,
                   other=one.speaker)  # fmt: skip
        return warning("repeated-role", message, where, say("Join them, or take one out."))
    return None


def _cut_unanswered(raw: _Raw) -> Problem | None:
    """Cut off what is said after the last answer; a problem if there is no answer at all."""
    last = max((index for index, turn in enumerate(raw.turns) if turn.speaker in ANSWERS), default=-1)
    if last < 0:
        message = say("The conversation does not end with an answer.")
        return warning("no-answer", message, raw.where, say("Take the last question out."))
    if last + 1 < len(raw.turns):
        del raw.turns[last + 1 :]
        message = say("The last turn has no answer and is cut off; the rest of the conversation is used.")
        raw.report(warning("unanswered-turn", message, raw.where))
    return None


def _empty(turns: list[Turn], where: Where) -> Problem | None:
    if any(turn.speaker in ANSWERS and not turn.text.strip() for turn in turns):
        return warning("empty-answer", say("The answer is empty."), where)
    if not turns or any(turn.speaker == "user" and not turn.text.strip() for turn in turns):
        return warning("empty-query", say("The question is empty."), where)
    return None


def first_turns(table: Table, column: str) -> list[Any]:
    """The turns of the first row of ``column`` that has any."""
    found = (parse_nested(value) for value in table.values(column))
    turns = (value for value in found if isinstance(value, list) and value)
    return next((value for value in turns if isinstance(value[0], (dict, list))), [])
