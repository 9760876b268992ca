"""Text from data, models and logs, made harmless for a terminal and for a shell."""

from __future__ import annotations

import shlex
import unicodedata
from typing import Final

_INVISIBLE: Final = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # control, format (bidi marks), surrogates, separators


def printable(value: object, limit: int = 200) -> str:
    r"""``value`` as one line without control, escape or bidirectional characters, cut to ``limit`` characters.

    Newlines and tabs become spaces, other invisible characters ``\xNN`` or ``\uNNNN``, so that nothing from a
    data file can move the cursor, colour the screen or reorder a line.
    """
    text = str(value)
    cut = len(text) > limit
    shown = "".join(_shown(character) for character in text[:limit])
    return shown + "…" if cut else shown


def operand(word: object) -> str:
    """``word`` as the last operand of a command that is shown to be typed: quoted, and never taken for an option."""
    text = str(word)
    return f"-- {shlex.quote(text)}" if text.startswith("-") else shlex.quote(text)


def _shown(character: str) -> str:
    if character in "\n\t\r":
        return " "
    if unicodedata.category(character) in _INVISIBLE:
        return f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"
    return character
