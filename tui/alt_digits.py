"""Alt with a digit, as terminals send it: Escape, then the digit.

Textual 8.2.8 takes the two for what a Mac's Option key types: ``Alt-4`` would put ``¢`` into the field in use, and no
step could be reached by its number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from textual._ansi_sequences import ANSI_SEQUENCES_KEYS


@dataclass(frozen=True)
class AltDigit:
    """Stands in Textual's table where its ``Keys`` stand, which have no such member."""

    value: str


def read_as_keys() -> None:
    """From now on Alt and a digit is one key, with nothing typed."""
    sequences = cast("dict[str, Any]", ANSI_SEQUENCES_KEYS)
    sequences.update({f"\x1b{digit}": (AltDigit(f"alt+{digit}"),) for digit in range(10)})
