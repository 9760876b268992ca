"""Cleaning of conversations: stray characters and spaces go, and so do rows that repeat another one.

Markup stays: it may be just what the model shall write. Placeholders such as ``{{name}}`` are filled with what the
user says, or told of.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from tunewiz.data.chat.repeats import surplus
from tunewiz.data.rows.conversations import Conversation, map_texts, texts_of_conversation
from tunewiz.data.text.cleaning import tidy_text
from tunewiz.problems import Problem, Where, note, say, warning


def tidy(conversation: Conversation, done: Counter[str]) -> Conversation | None:
    """``conversation`` with every text tidied, each kind of change counted once in ``done``; None if one is empty."""
    changes: set[str] = set()

    def change(text: str) -> str:
        neat, codes = tidy_text(text)
        changes.update(codes)
        return neat

    cleaned = map_texts(conversation, change)
    done.update(changes)
    if any(not turn.text for turn in cleaned.turns if turn.speaker != "tool") or not (cleaned.turns or cleaned.text):
        done["empty-turn"] += 1
        return None
    if any(getattr(conversation, name) and not getattr(cleaned, name) for name in ("chosen", "rejected", "answer")):
        done["empty-turn"] += 1
        return None
    return cleaned


def clean_conversations(conversations: Iterable[Conversation]) -> tuple[list[Conversation], Counter[str]]:
    """What is left after cleaning, in order, and how many rows each code touched.

    Codes are those of :data:`tunewiz.data.text.cleaning.CLEANED`. Of rows that repeat another one, exactly, but for
    case, spaces and punctuation, or nearly, the first stays.
    """
    done: Counter[str] = Counter()
    neat = [tidy_row for row in conversations if (tidy_row := tidy(row, done)) is not None]
    dropped = surplus(neat)
    done.update(dropped.values())
    return [row for number, row in enumerate(neat) if number not in dropped], done


_PLACEHOLDER: Final = re.compile(r"(?<!\$)\{\{\s*([^\W\d][\w-]{0,39})\s*\}\}")


def names_in(conversation: Conversation) -> set[str]:
    """The placeholders that stand in any of its texts."""
    texts = [text for _, text in texts_of_conversation(conversation) if "{{" in text]
    return {name for text in texts for name in _PLACEHOLDER.findall(text)}


class Placeholders:
    """Fills placeholders in conversations as they come by, and counts the rows that had any."""

    def __init__(self, values: Mapping[str, str], file: str) -> None:
        self._values = dict(values)
        self._file = file
        self._rows: Counter[str] = Counter()
        self._first: dict[str, int] = {}

    def fill(self, conversation: Conversation) -> Conversation:
        """``conversation`` with the placeholders filled that have a value."""
        names = names_in(conversation)
        if not names:
            return conversation
        for name in sorted(names):
            self._rows[name] += 1
            self._first.setdefault(name, conversation.line)
        if names.isdisjoint(self._values):
            return conversation
        return map_texts(conversation, lambda text: _PLACEHOLDER.sub(self._value, text))

    def behind(self, other: Placeholders) -> None:
        """Count what ``other`` saw in later rows."""
        self._rows.update(other._rows)
        for name, line in other._first.items():
            self._first.setdefault(name, line)

    def _value(self, found: re.Match[str]) -> str:
        return self._values.get(found[1], found[0])

    def problems(self) -> Iterator[Problem]:
        """What was filled (note), what was not (warning), and values that nothing asked for (warning)."""
        done = [name for name in self._rows if name in self._values]
        left = [name for name in self._rows if name not in self._values]
        if done:
            message = say("Placeholders filled (× rows): {placeholders}.", placeholders=self._listed(done))
            yield note("placeholder-filled", message, Where(file=self._file))
        if left:
            message = say(
                "Placeholders that would be learnt as they are: {placeholders}.", placeholders=self._listed(left)
            )
            fix = say("Say what they stand for: data.placeholders in the preset ({names}).", names=tuple(left))
            line = min(self._first[name] for name in left)
            yield warning("placeholder-unfilled", message, Where(file=self._file, line=line), fix)
        for name in self._values:
            if name not in self._rows:
                near = difflib.get_close_matches(name, self._rows, n=1)
                message = say("No row has the placeholder {placeholder}.", placeholder="{{" + name + "}}")
                fix_near = say("Did you mean {name}?", name=near[0]) if near else None
                yield warning("placeholder-unused", message, Where(key=f"data.placeholders.{name}"), fix_near)

    def _listed(self, names: list[str]) -> str:
        """Each name with the number of rows that hold it, the commonest first."""
        ordered = sorted(names, key=lambda name: -self._rows[name])
        return ", ".join(f"{{{{{name}}}}} × {self._rows[name]}" for name in ordered)
