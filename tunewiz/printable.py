"""Text from data, models and logs, made harmless for a terminal and for a shell."""

from __future__ import annotations

import json
import math
import re
import shlex
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from tunewiz.language import translate

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


def amount(count: float) -> str:
    """``count`` bytes in binary units, such as ``1.5 GiB``."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


#: Seconds that no clock shows more of.
CENTURY: Final = 3.2e9


def duration(seconds: float) -> str:
    """``seconds`` as a time that something takes, in words that no time of day has: ``7s``, ``4m 05s``, ``1h 02m``.

    What no clock shows is cut to a century.
    """
    whole = round(min(max(0.0, seconds), CENTURY))
    if whole < 60:
        return translate("{seconds}s").format(seconds=whole)
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        words = translate("{minutes}m {seconds}s") if rest else translate("{minutes}m")
        return words.format(minutes=minutes, seconds=f"{rest:02}")
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return translate("{hours}h {minutes}m").format(hours=hours, minutes=f"{minutes:02}")
    days, hours = divmod(hours, 24)
    return translate("{days}d {hours}h").format(days=days, hours=hours)


@lru_cache(4096)
def printable_name(text: str) -> str:
    """:func:`printable` for the few names (of stages, measures, models) that come again and again."""
    return printable(text)


def json_text(value: Any) -> str:
    r"""``value`` as JSON in one line that is harmless for a terminal: what :func:`printable` changes is ``\uNNNN``.

    Numbers that JSON lacks (nan, inf) are null.
    """
    return _ESCAPED.sub(_escape, json.dumps(_finite(value), ensure_ascii=False))


#: Beyond ASCII; JSON has escaped the control characters of ASCII itself, but for DEL.
_ESCAPED: Final = re.compile(r"[^\x20-\x7e]")


def _escape(found: re.Match[str]) -> str:
    if unicodedata.category(found[0]) not in _INVISIBLE:
        return found[0]
    halves = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{halves[at] << 8 | halves[at + 1]:04x}" for at in range(0, len(halves), 2))


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value


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
