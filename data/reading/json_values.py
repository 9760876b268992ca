"""Strict JSON values, and what of common damage can be mended without guessing."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_INNER_COMMA: Final = re.compile(r",(\s*[}\]]\s*)$")
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
        self._lenient = json.JSONDecoder(parse_constant=self._constant, strict=False)

    def _constant(self, name: str) -> None:
        self.constants.append(name)

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
        if _ESCAPED_SURROGATE.search(text, position, end):
            found = without_surrogates(found)
        return found, end


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
