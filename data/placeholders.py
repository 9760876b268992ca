"""Placeholders such as ``{{name}}`` in training texts: filled with what the user says, or told of."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from data.conversations import Conversation
from data.problems import Problem, Where, note, say, warning

_PLACEHOLDER: Final = re.compile(r"(?<!\$)\{\{\s*([^\W\d][\w-]{0,39})\s*\}\}")


def mapped(conversation: Conversation, change: Callable[[str], str]) -> Conversation:
    """``conversation`` with ``change`` applied to every text a model reads; the label stays."""
    return replace(
        conversation,
        turns=tuple(replace(turn, text=change(turn.text)) for turn in conversation.turns),
        system=change(conversation.system),
        chosen=change(conversation.chosen),
        rejected=change(conversation.rejected),
        answer=change(conversation.answer),
        text=change(conversation.text),
    )


def names_in(conversation: Conversation) -> set[str]:
    """The placeholders that stand in any of its texts."""
    found: set[str] = set()

    def look(text: str) -> str:
        if "{{" in text:
            found.update(_PLACEHOLDER.findall(text))
        return text

    mapped(conversation, look)
    return found


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
        return mapped(conversation, lambda text: _PLACEHOLDER.sub(self._value, text))

    def _value(self, found: re.Match[str]) -> str:
        return self._values.get(found[1], found[0])

    def problems(self) -> Iterator[Problem]:
        """What was filled (note), what was not (warning), and values that nothing asked for (warning)."""
        done = [name for name in self._rows if name in self._values]
        left = [name for name in self._rows if name not in self._values]
        if done:
            told = say("Placeholders filled (× rows): {placeholders}.", placeholders=self._listed(done))
            yield note("placeholder-filled", told, Where(file=self._file))
        if left:
            told = say(
                "Placeholders that would be learnt as they are: {placeholders}.", placeholders=self._listed(left)
            )
            fix = say("Say what they stand for: data.placeholders in the preset ({names}).", names=", ".join(left))
            line = min(self._first[name] for name in left)
            yield warning("placeholder-unfilled", told, Where(file=self._file, line=line), fix)
        for name in self._values:
            if name not in self._rows:
                near = difflib.get_close_matches(name, self._rows, n=1)
                told = say("No row has the placeholder {placeholder}.", placeholder="{{" + name + "}}")
                fix_near = say("Did you mean {name}?", name=near[0]) if near else None
                yield warning("placeholder-unused", told, Where(key=f"data.placeholders.{name}"), fix_near)

    def _listed(self, names: list[str]) -> str:
        """Each name with the number of rows that hold it, the commonest first."""
        ordered = sorted(names, key=lambda name: -self._rows[name])
        return ", ".join(f"{{{{{name}}}}} × {self._rows[name]}" for name in ordered)
