"""Times as people and programs write them, as numbers that sort: ISO, 3/1/2024 9:15 AM, 2024年3月1日, epochs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from tunewiz.data.reading.cells import number_of

_CLOCK: Final = (
    r"(?:[ T,，]*(?P<hour>\d{1,2})(?:[:：时点](?P<minute>\d{1,2}))?(?:[:：分](?P<second>\d{1,2}(?:[.,]\d+)?))?[分秒]?"
    r"\s*(?P<half>[ap]\.?m\.?|上午|下午)?)?\s*(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})?"
)
_HALF_FIRST: Final = re.compile("(上午|下午|晚上|凌晨|清晨|早上|中午|傍晚|오전|오후)\\s*")
#: Year first; month first; day first: of a column the first that reads every cell.
_WRITTEN: Final = tuple(
    re.compile(rf"\s*{date}{_CLOCK}\s*", re.IGNORECASE)
    for date in (
        r"(?P<year>\d{4})[-/.年년]\s?(?P<month>\d{1,2})[-/.月월]\s?(?P<day>\d{1,2})[日일]?",
        r"(?P<month>\d{1,2})[-/.](?P<day>\d{1,2})[-/.](?P<year>\d{2,4})",
        r"(?P<day>\d{1,2})[-/.](?P<month>\d{1,2})[-/.](?P<year>\d{2,4})",
        r"(?:(?P<year>\d{4})年)?(?P<month>\d{1,2})月(?P<day>\d{1,2})日",
        r"(?:[a-z]{3,9},?\s+)?(?P<day>\d{1,2})[\s-]+(?P<name>[a-z]{3})[a-z]*\.?,?[\s-]+(?P<year>\d{4}|\d\d)",
        r"(?:[a-z]{3,9},?\s+)?(?P<name>[a-z]{3})[a-z]*\.?\s+(?P<day>\d{1,2}),?\s+(?P<year>\d{4})",
        r"(?P<year>(?!))?",  # a clock alone
    )
)
_MONTHS: Final = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


def sort_keys(values: Sequence[object]) -> list[float] | None:
    """A number for each of ``values``, in the order of the numbers or times that they are; None where one is neither.

    All are read by one way of writing, so that 3/4 is the same day throughout.
    """
    numbers = [number_of(value) for value in values]
    if values and None not in numbers:
        return [number for number in numbers if number is not None]
    texts = [_plain(value) for value in values]
    for pattern in _WRITTEN:
        found = [_moment(pattern, text) for text in texts]
        if found and None not in found:
            return [moment for moment in found if moment is not None]
    return None


_MILLISECONDS: Final = 1e11  # in seconds this is the year 5138


def way_of_writing(values: Sequence[object]) -> Callable[[object], float | None]:
    """What reads another time, in seconds, by the way that most of ``values`` are written; None where it is none."""
    numbers = [number for value in values if (number := number_of(value)) is not None]
    if values and 2 * len(numbers) > len(values):
        unit = 1000.0 if max(numbers) > _MILLISECONDS else 1.0
        return lambda value: None if (number := number_of(value)) is None else number / unit
    texts = [_plain(value) for value in values]
    counts = [sum(_moment(pattern, text) is not None for text in texts) for pattern in _WRITTEN]
    pattern = _WRITTEN[counts.index(max(counts))]
    return lambda value: _moment(pattern, _plain(value))


def _plain(value: object) -> str:
    return _HALF_FIRST.sub("", value) + _half(value) if isinstance(value, str) else ""


def _half(text: str) -> str:
    said = _HALF_FIRST.search(text)
    if said is None:
        return ""
    return "pm" if said[1] in ("下午", "晚上", "傍晚", "中午", "오후") else "am"


def _moment(pattern: re.Pattern[str], text: str) -> float | None:
    """Seconds since about the year 0: months of 31 days, for nothing is asked but what comes first."""
    found = pattern.fullmatch(text)
    if found is None or not text.strip():
        return None
    told = found.groupdict()
    month = told.get("month")
    if told.get("name"):
        if told["name"].casefold() not in _MONTHS:
            return None
        month = str(_MONTHS.index(told["name"].casefold()) + 1)
    months, days = int(month or 1), int(told.get("day") or 1)
    hour, minute = int(told.get("hour") or 0), int(told.get("minute") or 0)
    if not (1 <= months <= 12 and 1 <= days <= 31 and hour <= 24 and minute < 60):
        return None
    half = (told.get("half") or "").casefold().replace(".", "")
    if half:
        hour = hour % 12 + (12 if half in ("pm", "下午") else 0)
    second = float((told.get("second") or "0").replace(",", "."))
    day = (int(told.get("year") or 0) * 12 + months) * 31 + days
    return ((day * 24.0 + hour) * 60 + minute) * 60 + second
