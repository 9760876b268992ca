"""YAML scalars, read and written by the rules that people expect (YAML 1.2 core, decimal numbers only).

YAML 1.1, which PyYAML follows, reads ``2e-5`` as text, ``010`` as eight and ``no`` as false. Here ``2e-5`` is a number,
``010``, ``no`` and dates are text (a true/false field still takes ``yes`` and ``no``).
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

import yaml

_WORDS: Final = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    word: value for text, value in (("true", True), ("false", False)) for word in (text, text.title(), text.upper())
}
_WHOLE: Final = re.compile(r"[-+]?(0|[1-9][0-9_]{0,30})")
_REAL: Final = re.compile(r"[-+]?([0-9][0-9_]*(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,4})?")
_LEADING_ZERO: Final = re.compile(r"[-+]?0[0-9]")


def plain(text: str) -> Any:
    """The value of an unquoted scalar: ``None``, bool, int, float or the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    if len(text) <= 32 and _REAL.fullmatch(text) and not _LEADING_ZERO.match(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def written(value: Any) -> str:
    """``value`` (a scalar) as YAML that every YAML reader and :func:`plain` read back as it was."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return _number(value)
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _number(value: float) -> str:
    """The shortest exact form; with a dot and a sign where YAML 1.1 needs them to see a number."""
    mantissa, exponent, power = repr(value).partition("e")
    if not exponent:
        return mantissa
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{int(power):+d}"


def _text(value: str) -> str:
    ambiguous = not isinstance(plain(value), str)
    style = '"' if ambiguous or value != value.strip() or not value.isprintable() else None
    shown = yaml.safe_dump(value, default_style=style, allow_unicode=True, width=10**9, default_flow_style=True)
    return shown.removesuffix("\n").removesuffix("\n...")
