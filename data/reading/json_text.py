"""JSON text of any length read value by value: a window over the file that knows its line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from data.reading.json_values import Decoder, NotJson

#: A single value (a row, or the whole of a small file) may take this many characters.
VALUE_LIMIT: Final = 16 << 20
_BLANK: Final = re.compile(r"[ \t\r\n\ufeff]*")
#: An error this near the end of the window may only mean that the value goes on.
_EDGE: Final = 64


class JsonText:
    """A position in JSON text that arrives in pieces. ``line`` counts from 1 at the position."""

    def __init__(self, pieces: Iterator[str]) -> None:
        self._pieces = pieces
        self._text = ""
        self._position = 0
        self._ended = False
        self.decoder = Decoder()
        self.line = 1

    def _more(self) -> bool:
        """Read about as much again as is held, so that long values cost linear time."""
        wanted = max(1, len(self._text) - self._position)
        gathered = [self._text[self._position :]]
        self._position = 0
        while wanted > 0 and not self._ended:
            piece = next(self._pieces, "")
            self._ended = not piece
            gathered.append(piece)
            wanted -= len(piece)
        grew = any(gathered[1:])
        self._text = "".join(gathered)
        return grew

    def _move(self, position: int) -> None:
        self.line += self._text.count("\n", self._position, position)
        self._position = position

    def peek(self) -> str:
        """The next character that is not blank, or an empty string at the end."""
        while True:
            match = _BLANK.match(self._text, self._position)
            self._move(match.end() if match else self._position)
            if self._position < len(self._text):
                return self._text[self._position]
            if not self._more():
                return ""

    def take(self) -> None:
        """Pass over the character that :meth:`peek` shows."""
        self._move(self._position + 1)

    def second(self) -> str:
        """The character that is not blank after the one that :meth:`peek` shows; stays where it is."""
        self.peek()
        while True:
            match = _BLANK.match(self._text, self._position + 1)
            end = match.end() if match else len(self._text)
            if end < len(self._text):
                return self._text[end]
            if not self._more():
                return ""

    def skip_line(self) -> None:
        """Pass over the rest of the line."""
        while (end := self._text.find("\n", self._position)) < 0:
            self._move(len(self._text))
            if not self._more():
                return
        self._move(end + 1)

    def around(self, failure: NotJson) -> str:
        """Some text around a failure of :meth:`value`."""
        at = failure.position
        return self._text[max(self._position, at - 20) : at + 20]

    def value(self) -> tuple[Any, bool]:
        """The value here, and whether raw newlines had to be allowed. Raises :class:`NotJson` and stays where it is."""
        lenient = False
        while True:
            try:
                found, end = self.decoder.value(self._text, self._position, lenient)
            except NotJson as failure:
                if failure.control and not lenient:
                    lenient = True
                    continue
                if self._may_go_on(failure) and self._more():
                    continue
                raise
            if end == len(self._text) and isinstance(found, (int, float)) and self._more():
                continue  # more digits may follow
            self._move(end)
            return found, lenient

    def _may_go_on(self, failure: NotJson) -> bool:
        held = len(self._text) - self._position
        return held < VALUE_LIMIT and (failure.cut or failure.position >= len(self._text) - _EDGE)

    def resume(self, first_key: str) -> bool:
        """Go to the next place where a row seems to begin, by its first key; False at the end."""
        if first_key:
            quoted = re.escape(json.dumps(first_key, ensure_ascii=False))
            begin = re.compile(r"\{\s*" + quoted + r"\s*:")
        else:
            begin = re.compile(r"\n\s*\{")
        start = self._position + 1
        while True:
            match = begin.search(self._text, start)
            if match:
                self._move(self._text.index("{", match.start()))
                return True
            kept = max(start, len(self._text) - 4096)
            self._move(min(kept, len(self._text)))
            if not self._more():
                return False
            start = self._position
