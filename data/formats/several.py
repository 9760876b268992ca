"""Several texts in one cell: lists, marks and numbers between them, and lists that stand beside each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from tunewiz.data.formats.format import Detection
from tunewiz.data.reading.cells import Table, parse_nested
from tunewiz.data.reading.expressions import value_at
from tunewiz.data.reading.source import Row
from tunewiz.data.rows.examples import Group

#: Stands for the list that a cell of several queries is.
LISTED: Final = "[]"
#: Stands for a list of queries each of which has its answer at its place in the list beside it.
PARALLEL: Final = "[][]"
#: The mark between texts that are numbered in one cell: ``1. … 2. …``, ``①…②…``, ``（1）…（2）…``.
NUMBERED: Final = "1. 2. 3."
_NUMBER: Final = re.compile(
    r"(?:^|(?<=[\s;；。？！?!]))(?:[(（](\d{1,2})[)）]|(\d{1,2})\s*(?:[、．)）]|\.(?!\d)|(?<=[;；。？！?!]\d)\.)|([①-⑳]))\s*"
)


def cut_at(text: str, mark: str) -> list[str]:
    """The parts of a text at a mark between them; at numbers only where they count from 1 on without a gap.

    >>> cut_at("1. how long? 2. how far?", NUMBERED), cut_at("take 2. then 1. of it", NUMBERED)
    (['how long?', 'how far?'], ['take 2. then 1. of it'])
    """
    if mark != NUMBERED:
        # A longer run of the same sign is another sign: "####" holds no "###".
        sign = re.escape(mark[0])
        return re.split(rf"(?<!{sign}){re.escape(mark)}(?!{sign})", text)
    found = list(_NUMBER.finditer(text.strip()))
    numbers = [int(one[1] or one[2]) if one[1] or one[2] else ord(one[3]) - ord("①") + 1 for one in found]
    if not found or found[0].start() or numbers != list(range(1, len(numbers) + 1)):
        return [text]
    ends = [*(one.start() for one in found[1:]), len(text.strip())]
    return [text.strip()[one.end() : end].strip(" ;；\n") for one, end in zip(found, ends, strict=True)]


def one_by_one(detection: Detection, rows: Iterable[Row]) -> Iterator[Group]:
    """Each question of a row's list with the answer at its place in another one."""
    query, positive = detection.column("query"), detection.column("positive")
    for row in rows:
        asked, answered = (parse_nested(value_at(row.values, name)) for name in (query, positive))
        if not isinstance(asked, list) or not isinstance(answered, list):
            continue
        for one, other in zip(asked, answered, strict=False):
            if isinstance(one, str) and isinstance(other, str) and one.strip() and other.strip():
                yield Group(one, (other,), line=row.line)


def are_parallel(table: Table, query: str, positive: str) -> bool:
    """Whether two columns hold lists of as many texts in nearly each row, and several in most."""
    values = [(parse_nested(value_at(row.values, query)), parse_nested(value_at(row.values, positive)))
              for row in table.rows]  # fmt: skip
    lists = [(one, other) for one, other in values if isinstance(one, list) and isinstance(other, list)]
    alike = sum(len(one) == len(other) for one, other in lists)
    several = sum(len(one) > 1 and len(set(map(str, one))) > 1 for one, _ in lists)
    return bool(lists) and alike >= 0.9 * len(values) and 2 * several > len(values)
