"""What the keys of a sweep may have: several values each, or all numbers between two ends."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import Field

from tunewiz.language import N_
from tunewiz.presets.sections.section import Section
from tunewiz.presets.yaml.tree import parse
from tunewiz.problems import BadPreset

#: A range as it is typed in a line: ``1e-5..1e-4``, with ``log`` behind it ``1e-5..1e-4 log``.
_TYPED: Final = re.compile(r"\[?\s*(?P<low>[-+\d.eE]+?)\s*\.\.\s*(?P<high>[-+\d.eE]+)(?P<log>\s+log)?\s*\]?")
_DIGITS: Final = 4  # of a number that is chosen: more tell a training nothing, and nobody reads them


class Range(Section):
    """All numbers from ``low`` to ``high``; whole ones where both are."""

    low: int | float = Field(title=N_("From"), description=N_("The smallest number that may be tried."))
    high: int | float = Field(title=N_("To"), description=N_("The largest number that may be tried."))
    log: bool = Field(
        False,
        title=N_("By orders of magnitude"),
        description=N_("Whether each doubling is as likely as any other: right for learning rates."),
    )

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are tried."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def told(self) -> str:
        """As it is typed in a line.

        >>> Range(low=1e-5, high=1e-4, log=True).told
        '1e-05..0.0001 log'
        """
        return f"{self.low:g}..{self.high:g}" + (" log" if self.log else "")

    def rounded(self, value: float) -> float | int:
        """``value`` with as many digits as tell something, between the ends.

        >>> Range(low=1e-5, high=1e-4).rounded(3.14159265e-5)
        3.142e-05
        """
        if self.whole:
            return round(value)
        short = float(f"{value:.{_DIGITS}g}")
        return min(max(short, self.low), self.high) if math.isfinite(short) else self.low


def flat(tree: Mapping[Any, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Sections as they stand in a preset, by dotted keys; a range is a value."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and not is_range(value):
            yield from flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def is_range(value: Mapping[Any, Any]) -> bool:
    """Whether it is one, or is meant to be: no section of a preset has a key ``low`` or ``high``."""
    return bool({"low", "high"} & set(value))


def listed(value: Any) -> Any:
    """``value`` as a list or a range, as far as it is a line of values, a range as it is typed, or a single value."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str) and _TYPED.fullmatch(value[0]):
        return listed(value[0])
    if isinstance(value, str):
        text = value.strip()
        try:
            if found := _TYPED.fullmatch(text):
                low, high = (parse(found[end]).value for end in ("low", "high"))
                return {"low": low, "high": high, "log": bool(found["log"])}
            return parse(text if text.startswith(("[", "{")) else f"[{text}]").value
        except BadPreset:
            return value
    return [value] if isinstance(value, (bool, int, float)) else value
