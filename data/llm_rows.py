"""Rows for language models (alpaca, sharegpt, messages ...), understood far enough to check them.

Training on them is another task's; here their texts, turns and layouts are looked at, so that ``tunewiz data`` says
what is wrong with them too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from data.examples import Group
from data.problems import Problem, Where, say, warning
from data.source import Row

#: (question, addition, answer) columns of layouts with one question and one answer, best first.
_SINGLE: Final = (
    ("instruction", "input", "output"),
    ("instruction", "input", "response"),
    ("prompt", "", "completion"),
    ("prompt", "", "response"),
    ("prompt", "", "chosen"),
    ("query", "", "response"),
    ("指令", "输入", "输出"),
)
_TURNS: Final = ("messages", "conversations", "conversation")
_SPEAKERS: Final = {
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "bot": "assistant",
    "system": "system",
    "tool": "tool",
    "observation": "tool",
    "function": "call",
    "function_call": "call",
    "tool_call": "call",
}
_ANSWERS: Final = ("assistant", "call")


def examples(rows: Iterable[Row], file: str, report: Callable[[Problem], None]) -> Iterator[Group]:
    """Question and answer of each row as a group; rows without an answer, and turns out of order, are reported.

    Codes: ``empty-query``, ``empty-answer``, ``unknown-role``, ``assistant-first``, ``repeated-role``, ``no-answer``.
    """
    for row in rows:
        where = Where(file=file, line=row.line)
        turns = next((row.values[key] for key in _TURNS if row.values.get(key)), None)
        found = _of_turns(turns, where, report) if isinstance(turns, list) else _of_columns(row.values, where, report)
        if found:
            yield Group(found[0], (found[1],), line=row.line)


def _of_columns(values: Mapping[str, Any], where: Where, report: Callable[[Problem], None]) -> tuple[str, str] | None:
    for question, addition, answer in _SINGLE:
        if question in values and answer in values:
            parts = [_text(values[question]), _text(values.get(addition))]
            asked = "\n".join(part for part in parts if part)
            return _complete(asked, _text(values[answer]), where, report)
    return None


def _complete(asked: str, answered: str, where: Where, report: Callable[[Problem], None]) -> tuple[str, str] | None:
    if not asked.strip():
        report(warning("empty-query", say("The question is empty."), where))
        return None
    if not answered.strip():
        report(warning("empty-answer", say("The answer is empty."), where))
        return None
    return asked, answered


def _of_turns(turns: list[Any], where: Where, report: Callable[[Problem], None]) -> tuple[str, str] | None:
    """First question and first answer of a conversation whose turns are in order."""
    said = [_turn(turn) for turn in turns]
    odd = next((name for name, speaker, _ in said if not speaker), None)
    if odd is not None:
        told = say("A turn is by {role}, which is no usual role.", role=odd or "-")
        report(warning("unknown-role", told, where, say("Use user and assistant, or human and gpt.")))
        return None
    talk = [(speaker, text) for _, speaker, text in said if speaker != "system"]
    problem = _order(talk, where)
    if problem is not None:
        report(problem)
        return None
    asked = next(text for speaker, text in talk if speaker == "user")
    answered = [text for speaker, text in talk if speaker in _ANSWERS]
    if not all(text.strip() for text in answered):
        report(warning("empty-answer", say("The answer is empty."), where))
        return None
    return _complete(asked, answered[0], where, report)


def _order(talk: list[tuple[str, str]], where: Where) -> Problem | None:
    """Why the turns cannot be trained on, if they cannot."""
    speakers = [speaker for speaker, _ in talk]
    if speakers[:1] and speakers[0] in _ANSWERS:
        told = say("The conversation starts with the assistant.")
        return warning("assistant-first", told, where, say("Start with the user, or take the turn out."))
    spoken = ("user", "assistant")
    twice = next((one for one, other in pairwise(speakers) if one == other and one in spoken), None)
    if twice:
        told = say("Two turns of {role} follow each other.", role=twice)
        return warning("repeated-role", told, where, say("Join them, or take one out."))
    if not speakers or speakers[-1] not in _ANSWERS or "user" not in speakers:
        told = say("The conversation does not end with an answer.")
        return warning("no-answer", told, where, say("Take the last question out."))
    return None


def _turn(turn: Any) -> tuple[str, str, str]:
    """Role as written, role in our words (empty if unknown), text."""
    if not isinstance(turn, Mapping):
        return "", "", ""
    name = _text(turn.get("role", turn.get("from", "")))
    return name, _SPEAKERS.get(name, ""), _text(turn.get("content", turn.get("value", "")))


def _text(value: Any) -> str:
    """Text of a cell: of a list of parts, those that are text."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(_text(part.get("text") if isinstance(part, Mapping) else part) for part in value)
    return "" if value is None or isinstance(value, Mapping) else str(value)
