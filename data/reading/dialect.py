"""Guessing delimiter, quoting and header line of a delimited file from its first records."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from data.columns import is_known
from data.reading.delimited import Dialect, Record, split_records

_DELIMITERS: Final = (",", "\t", ";", "|")
#: A first line like this is a sentence of the data, not a row of names.
_SENTENCE: Final = re.compile(r"[。？！?!；]|[.,;:，：]\s|\.$")
_NUMBER: Final = re.compile(r"^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?%?$", re.IGNORECASE)
_NAME_LENGTH: Final = 40


@dataclass(frozen=True)
class Sniffed:
    """A dialect, the records it gives, and the share (0-1) of them that have as many cells as most."""

    dialect: Dialect
    records: list[Record]
    consistency: float
    width: int


def sniff(lines: Sequence[tuple[int, str]], delimiter: str = "auto", hint: str = "") -> Sniffed:
    """The dialect in which ``lines`` come out most regular. ``hint`` is what the file's name suggests."""
    candidates = _DELIMITERS if delimiter == "auto" else (delimiter,)
    tried = [_best_quoting(lines, candidate) for candidate in candidates]
    best = max(tried, key=lambda found: _score(found, hint))
    if delimiter == "auto" and (best.width < 2 or best.consistency < 0.5):
        return _best_quoting(lines, hint or ",")
    return best


def _score(found: Sniffed, hint: str) -> float:
    if found.width < 2:
        return 0.0
    named = sum(is_known(cell) for cell in found.records[0].cells) if found.records else 0
    hinted = 0.05 if found.dialect.delimiter == hint else 0.0
    return found.consistency + 0.15 * min(named, 3) + hinted + 0.002 * min(found.width, 10)


def _best_quoting(lines: Sequence[tuple[int, str]], delimiter: str) -> Sniffed:
    """Quotes doubled as in RFC 4180 unless another reading is clearly more regular."""
    best = _tried(lines, Dialect(delimiter))
    if not any('"' in text for _, text in lines):
        return best
    rest = (Dialect(delimiter, "doubled", True), Dialect(delimiter, "backslash"), Dialect(delimiter, "none"))
    for dialect in rest:
        other = _tried(lines, dialect)
        if other.consistency > best.consistency + 0.01 and other.width > 1:
            best = other
    if delimiter == "\t" and best.dialect.quoting == "doubled":
        plain = _tried(lines, rest[-1])
        if plain.consistency > best.consistency or (plain.consistency == best.consistency and not _quoted(lines)):
            return plain
    return best


def _quoted(lines: Sequence[tuple[int, str]]) -> bool:
    """Whether quotes in a tab file quote: some are doubled, or each line that has any consists of quoted cells."""
    if any('""' in text for _, text in lines):
        return True
    cells = [text.rstrip("\r\n").split("\t") for _, text in lines if '"' in text]
    return all(len(cell) > 1 and cell[0] == cell[-1] == '"' for of_line in cells for cell in of_line)


def _tried(lines: Sequence[tuple[int, str]], dialect: Dialect) -> Sniffed:
    found = [record for record in split_records(lines, dialect) if any(cell.strip() for cell in record.cells)]
    widths = Counter(0 if record.open else len(record.cells) for record in found)
    if not widths:
        return Sniffed(dialect, [], 1.0, 1)
    width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
    weight = count / len(found)
    # a merged run of lines hides raggedness, so it counts with the lines it swallowed
    swallowed = sum(record.height for record in found if len(record.cells) != width or record.open)
    share = count / (count + swallowed) if count else 0.0
    return Sniffed(dialect, found, min(weight, share), width)


def has_header(records: Sequence[Record]) -> bool:
    """Whether the first record names the columns of the others."""
    if not records:
        return False
    first, rest = records[0].cells, records[1:101]
    named = [cell.strip() for cell in first if cell.strip()]
    if not named or any(_NUMBER.match(cell) for cell in named):
        return False
    if any(_SENTENCE.search(cell) or len(cell) > _NAME_LENGTH or "\n" in cell for cell in named):
        return False
    if all(is_known(cell) for cell in named):
        return True
    if len(set(named)) < len(named):
        return False
    columns = [[r.cells[index].strip() for r in rest if index < len(r.cells)] for index in range(len(first))]
    if any(is_known(cell) and cell.strip() not in columns[index] for index, cell in enumerate(first)):
        return True
    return sum(_differs(first[index].strip(), values) for index, values in enumerate(columns)) > 0


def _differs(name: str, values: list[str]) -> int:
    """+1 when a column's first cell is unlike the others (a name), -1 when it is one of them."""
    filled = [value for value in values if value]
    if not name or not filled:
        return 0
    if name in filled:
        return -1
    if sum(bool(_NUMBER.match(value)) for value in filled) > 0.9 * len(filled):
        return 1
    if len(set(filled)) <= max(2, len(filled) // 5) and len(filled) >= 10:
        return 1  # a column of few values, none of them this one
    typical = statistics.median(map(len, filled))
    if len(name) * 3 <= typical:
        return 1
    return -1 if len(name) >= 0.6 * typical else 0
