"""JSON text of any length read value by value, and what of common damage can be mended without guessing."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_INNER_COMMA: Final = re.compile(r",(\s*[}\]]\s*)$")
_LINE_ENDS: Final = frozenset(("\n", "\r\n", ""))
#: Levels of nesting; conversations with calls of tools have about ten, and Python's own recursion ends near a thousand.
_DEEPEST: Final = 100
#: Python's literal parser is only asked about lines of a sane length.
_LITERAL_LIMIT: Final = 1 << 20


class NotJson(ValueError):
    """Text that is no JSON value. ``position`` counts characters from 0; ``cut`` = it ends in the middle of a value."""

    def __init__(self, position: int, cut: bool = False, reason: str = "") -> None:
        super().__init__(reason)
        self.position = position
        self.cut = cut
        self.control = reason.startswith("Invalid control character")


@dataclass
class Decoder:
    """Decodes one value at a position. ``constants`` collects NaN and Infinity met, which become null."""

    constants: list[str]

    def __init__(self) -> None:
        self.constants = []
        self._strict = json.JSONDecoder(parse_constant=self._constant)
        self._scan = json.scanner.make_scanner(self._strict)  # type: ignore[attr-defined]  # typeshed knows it not
        self._lenient = json.JSONDecoder(parse_constant=self._constant, strict=False)

    def _constant(self, name: str) -> None:
        self.constants.append(name)

    def plain(self, text: str) -> dict[str, Any] | None:
        """The object that the line ``text`` is, nothing being wrong with it; None where :meth:`value` has to look."""
        if text[:1] != "{" or "\\u" in text or text.count("{") > _DEEPEST or text.count("[") > _DEEPEST:
            return None
        self.constants.clear()
        try:
            found, end = self._scan(text, 0)
        except (StopIteration, ValueError, RecursionError):
            return None
        if self.constants or text[end:] not in _LINE_ENDS:
            return None
        return found if type(found) is dict else None

    def value(self, text: str, position: int = 0, lenient: bool = False) -> tuple[Any, int]:
        """The value at ``position`` and where it ends; raises :class:`NotJson`. ``lenient`` allows raw newlines."""
        self.constants.clear()
        try:
            found, end = (self._lenient if lenient else self._strict).raw_decode(text, position)
        except json.JSONDecodeError as reason:
            cut = reason.msg.startswith("Unterminated string") or reason.pos >= len(text.rstrip())
            raise NotJson(reason.pos, cut, reason.msg) from None
        except (ValueError, RecursionError) as reason:  # a number of thousands of digits; nesting without end
            raise NotJson(position, False, str(reason)) from None
        if max(text.count("{", position, end), text.count("[", position, end)) > _DEEPEST and _is_too_deep(found):
            raise NotJson(position, False, "nested too deeply")
        if _ESCAPED_SURROGATE.search(text, position, end):
            found = without_surrogates(found)
        return found, end


def _is_too_deep(value: Any) -> bool:
    """Whether lists and objects lie in one another beyond what anybody writes by hand or program."""
    layer = [value]
    for _ in range(_DEEPEST):
        layer = [
            inner
            for item in layer
            if isinstance(item, (list, dict))
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if not layer:
            return False
    return True


def without_surrogates(value: Any) -> Any:
    """``value`` with half surrogate pairs, which no encoding can write, replaced by U+FFFD."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [without_surrogates(item) for item in value]
    if isinstance(value, Mapping):
        return {without_surrogates(key): without_surrogates(item) for key, item in value.items()}
    return value


def mend(text: str, decoder: Decoder) -> tuple[str, list[Any]] | None:
    """The values of a damaged line and the code of the damage, or None when it cannot be read with certainty."""
    stripped = text.strip()
    for code, candidate in (("trailing-comma", stripped.removesuffix(",")), ("trailing-comma", _inner(stripped))):
        if candidate != stripped:
            whole = _whole(candidate, decoder)
            if whole is not None:
                return code, whole
    several = _several(stripped, decoder)
    if several is not None:
        return "two-objects-on-a-line", several
    if stripped.startswith("{'"):
        literal = _literal(stripped)
        if literal is not None:
            return "single-quotes", [literal]
    return None


def _inner(text: str) -> str:
    return _INNER_COMMA.sub(r"\1", text)


def _whole(text: str, decoder: Decoder) -> list[Any] | None:
    try:
        value, end = decoder.value(text)
    except NotJson:
        return None
    return [value] if not text[end:].strip() else None


def _several(text: str, decoder: Decoder) -> list[Any] | None:
    """Objects written back to back, with or without blanks or commas between them."""
    values = []
    position = 0
    while position < len(text):
        try:
            value, position = decoder.value(text, position)
        except NotJson:
            return None
        if not isinstance(value, dict):
            return None
        values.append(value)
        while position < len(text) and text[position] in " \t,":
            position += 1
    return values if len(values) > 1 else None


def rows_inside(value: Any) -> list[Any]:
    """The rows that a JSON text inside a JSON text holds; none where it is no such."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return []
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return []
    rows = found if isinstance(found, list) else [found]
    return rows if all(isinstance(row, dict) for row in rows) else []


def unpacked(text: str) -> list[Any]:
    """The rows of a line that is JSON written into a JSON text."""
    if not text.startswith('"'):
        return []
    try:
        return rows_inside(json.loads(text))
    except (ValueError, RecursionError):
        return []


def _literal(text: str) -> dict[str, Any] | None:
    """A Python dict literal, the way ``print(row)`` writes it."""
    if len(text) > _LITERAL_LIMIT:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd escapes in the data are not our reader's business
            value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        return None
    try:
        return dict(json.loads(json.dumps(value, allow_nan=False)))
    except (TypeError, ValueError):  # sets, bytes, complex numbers: no JSON
        return None


# JSON text of any length read value by value: a window over the file that knows its line.


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
            # A row may begin at the very end of what is held: its brace, blanks and first key fit into 4 Ki.
            kept = max(start, len(self._text) - 4096)
            self._move(min(kept, len(self._text)))
            if not self._more():
                return False
            start = self._position
