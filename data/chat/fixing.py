"""A clean copy of rows for a language model: their fields stay as they are, but for stray characters and repeats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tunewiz.data.chat.cleaning import tidy
from tunewiz.data.chat.repeats import surplus
from tunewiz.data.formats.conversations import ConversationFormat
from tunewiz.data.formats.format import Detection
from tunewiz.data.opening import opened
from tunewiz.data.reading.source import Row
from tunewiz.data.retrieval.fixing import TABLE_DELIMITERS, Fixed
from tunewiz.data.rows.conversations import Conversation
from tunewiz.data.text.cleaning import tidy_text, without_controls
from tunewiz.files import write_jsonl
from tunewiz.problems import BadPreset, Findings, Where, error, say


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
        for conversation in opened.conversations_of(self._detection, self._report, self._rows()):
            assert self._row is not None
            yield self._row, tidy(conversation, Counter())

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
        neat, codes = tidy_text(value)
        changes.update(codes)
        return neat
    if isinstance(value, dict):
        return {without_controls(str(key)): _tidy(item, changes) for key, item in value.items()}
    return [_tidy(item, changes) for item in value] if isinstance(value, (list, tuple)) else value
