"""A clean copy of rows for a language model: their fields stay as they are, but for stray characters and repeats."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tunewiz.data.chat.cleaning import tidy
from tunewiz.data.chat.repeats import surplus
from tunewiz.data.dialogues.order import KEPT, MENDED
from tunewiz.data.formats.conversations import ConversationFormat, is_nothing
from tunewiz.data.formats.format import Detection
from tunewiz.data.opening import opened
from tunewiz.data.reading.source import Row
from tunewiz.data.retrieval.fixing import TABLE_DELIMITERS, Fixed
from tunewiz.data.rows.conversations import Conversation, Turn
from tunewiz.data.text.cleaning import tidy_text, without_controls
from tunewiz.files import write_jsonl
from tunewiz.problems import BadPreset, Findings, Problem, Where, error, say


def fix_conversations(detection: Detection, out: Path, findings: Findings) -> Fixed:
    """Rows as they are but for control characters, spaces and what cannot be trained on."""
    if out.suffix.casefold() in TABLE_DELIMITERS:
        message = say("Rows for language models are written as JSON Lines.")
        raise BadPreset(error("no-table", message, Where(file=str(out)), say("Name a .jsonl file.")))
    count, kept, done = _write_usable(detection, out, findings)
    return Fixed(out, count, kept, done, findings.summary())


def _write_usable(detection: Detection, out: Path, findings: Findings) -> tuple[int, int, dict[str, int]]:
    """Write the usable rows to ``out`` (JSON Lines); how many were read, kept, and what was done by code.

    The rows are read twice, so that no text is kept in memory.
    """
    done: Counter[str] = Counter()
    usable = _Usable(detection, findings)
    dropped = surplus(neat for _, neat in usable.pairs() if neat is not None)
    done.update(dropped.values())
    again = _Usable(detection, lambda _problem: None)

    def kept() -> Iterator[dict[str, Any]]:
        number = 0
        for row, neat in again.pairs():
            if neat is None:
                done["empty-turn"] += 1
                continue
            if number not in dropped:
                changes: set[str] = {"turns-mended"} if again.mended else set()
                values = _mended(row, neat, detection, again.mended)
                yield {key: _tidy(value, changes) for key, value in values.items()}
                done.update(changes)
            number += 1

    count = write_jsonl(out, kept())
    return usable.read, count, dict(done)


class _Usable:
    """Rows that give a conversation, and it tidied (None if that leaves it empty); ``read`` counts all rows."""

    def __init__(self, detection: Detection, report: Any) -> None:
        self.read = 0
        self._detection = detection
        self._report = report
        self._row: Row | None = None
        self._codes: set[str] = set()

    def pairs(self) -> Iterator[tuple[Row, Conversation | None]]:
        for conversation in opened.conversations_of(self._detection, self._told, self._rows()):
            assert self._row is not None
            yield self._row, tidy(conversation, Counter())

    def _rows(self) -> Iterator[Row]:
        chosen = self._detection.format
        assert isinstance(chosen, ConversationFormat)
        for row in chosen.rows(self._detection, self._report):
            self.read += 1
            self._row = row
            self._codes = set()
            yield row

    @property
    def mended(self) -> bool:
        """Whether the turns of the row that was given last had to be put in order, which loses nothing else of them."""
        return bool(self._codes & MENDED) and not self._codes & KEPT

    def _told(self, problem: Problem) -> None:
        self._codes.add(problem.code)
        self._report(problem)


#: The names of turns in the two usual layouts.
_SHAREGPT: Final = {"user": "human", "assistant": "gpt", "tool": "observation", "call": "function_call"}


def _mended(read: Row, row: Conversation, detection: Detection, turns: bool) -> dict[str, Any]:
    """A row without ``nan`` and the like; of written dialogues, and with ``turns``, with its turns in order."""
    values = dict(read.values)
    for role, columns in detection.mapping.items():
        for column in columns:
            if isinstance(values.get(column), str) and is_nothing(role, values[column]):
                values[column] = ""
    if detection.format.name == "dialogue":
        values.pop(detection.column("dialogue"), None)
        return values | _turns_of(row, detection, "messages")
    role = next((role for role in ("messages", "conversations") if role in detection.mapping), "")
    return values | (_turns_of(row, detection, detection.column(role)) if role and turns else {})


def _turns_of(row: Conversation, detection: Detection, column: str) -> dict[str, Any]:
    """The turns of a conversation, the system prompt before them unless it stands in a column, and the tools."""
    answer = row.chosen if detection.format.name == "rejected_answer" else row.answer
    turns = [*row.turns, *([Turn("assistant", answer)] if answer else [])]
    written = [
        _turn(turn, detection.format.name == "sharegpt") | ({} if turn.learned else {"weight": 0}) for turn in turns
    ]
    if row.system and "system" not in detection.mapping:
        system = {"from": "system", "value": row.system}
        written.insert(0, system if detection.format.name == "sharegpt" else _said("system", row.system))
    tools = {"tools": row.tools} if row.tools and "tools" not in detection.mapping else {}
    return {column: written} | tools


def _turn(turn: Turn, sharegpt: bool) -> dict[str, Any]:
    if sharegpt:
        return {"from": _SHAREGPT[turn.speaker], "value": turn.text}
    if turn.speaker != "call":
        return _said(turn.speaker, turn.text)
    calls = json.loads(turn.text)
    listed = calls if isinstance(calls, list) else [calls]
    return _said("assistant", "") | {"tool_calls": [{"type": "function", "function": call} for call in listed]}


def _said(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": text}


def _tidy(value: Any, changes: set[str]) -> Any:
    """Text anywhere in ``value`` tidied."""
    if isinstance(value, str):
        neat, codes = tidy_text(value)
        changes.update(codes)
        return neat
    if isinstance(value, dict):
        return {without_controls(str(key)): _tidy(item, changes) for key, item in value.items()}
    return [_tidy(item, changes) for item in value] if isinstance(value, (list, tuple)) else value
