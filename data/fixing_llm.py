"""A clean copy of rows for a language model: their fields stay as they are, but for stray characters and repeats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data import formats
from data.characters import without_controls
from data.conversation_cleaning import tidied, tidy
from data.conversation_repeats import surplus
from data.conversations import Conversation
from data.files import write_jsonl
from data.findings import Findings
from data.formats.base import Detection
from data.formats.chat import ConversationFormat
from data.source import Row


def fix_conversations(detection: Detection, out: Path, findings: Findings) -> tuple[int, int, dict[str, int]]:
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
                changes: set[str] = set()
                yield {key: _tidy(value, changes) for key, value in row.values.items()}
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

    def pairs(self) -> Iterator[tuple[Row, Conversation | None]]:
        for conversation in formats.conversations(self._detection, self._report, self._rows()):
            assert self._row is not None
            yield self._row, tidied(conversation, Counter())

    def _rows(self) -> Iterator[Row]:
        chosen = self._detection.format
        assert isinstance(chosen, ConversationFormat)
        for row in chosen.rows(self._detection, self._report):
            self.read += 1
            self._row = row
            yield row


def _tidy(value: Any, changes: set[str]) -> Any:
    """Text anywhere in ``value`` tidied."""
    if isinstance(value, str):
        neat, codes = tidy(value)
        changes.update(codes)
        return neat
    if isinstance(value, dict):
        return {without_controls(str(key)): _tidy(item, changes) for key, item in value.items()}
    return [_tidy(item, changes) for item in value] if isinstance(value, (list, tuple)) else value
