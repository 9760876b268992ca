"""A sample of rows looked at by columns: what kind of values each holds, and how cells become texts and scores."""

from __future__ import annotations

import ast
import json
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

from data.source import Row, Source

Kind = Literal["empty", "text", "number", "texts", "numbers", "object"]

_YES: Final = frozenset(("yes", "y", "true", "t", "是", "对", "相似", "相关", "相同", "匹配", "similar", "relevant"))
_NO: Final = frozenset(
    (
        "no",
        "n",
        "false",
        "f",
        "否",
        "不",
        "不是",
        "错",
        "不相似",
        "不相关",
        "不同",
        "不匹配",
        "dissimilar",
        "irrelevant",
    )
)
_LIST_LIMIT: Final = 1 << 20


@dataclass(frozen=True)
class Table:
    """Columns of a source and its first rows."""

    source: Source
    columns: tuple[str, ...]
    rows: Sequence[Row]

    @cached_property
    def _filled(self) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {column: [] for column in self.columns}
        for row in self.rows:
            for column, value in row.values.items():
                if column in found and not is_empty(value):
                    found[column].append(value)
        return found

    def values(self, column: str) -> list[Any]:
        """The values of a column that are not empty."""
        return self._filled.get(column, [])

    def filled(self, column: str) -> float:
        """0-1: how many of the rows have a value in the column."""
        return len(self.values(column)) / len(self.rows) if self.rows else 0.0

    def varied(self, column: str) -> bool:
        """Whether the values differ, as texts do; with fewer than five that cannot be told and counts as true."""
        values = self.values(column)
        return bool(values) and (len(values) < 5 or len({str(value) for value in values}) > 1)

    def kind(self, column: str) -> Kind:
        """What most values of the column are. Numbers written as text count as numbers."""
        values = self.values(column)
        if not values:
            return "empty"
        kinds = [_kind(value) for value in values]
        numeric = kinds.count("number")
        if numeric and numeric < 0.9 * len(kinds):  # texts that are sometimes only a number
            kinds = ["text" if kind == "number" else kind for kind in kinds]
        return max(set(kinds), key=kinds.count)

    def score_share(self, column: str) -> float:
        """0-1: values of the column that can be read as a score."""
        values = self.values(column)
        return sum(score_of(value) is not None for value in values) / len(values) if values else 0.0

    def mean_length(self, column: str) -> float:
        """Characters of an average value that is not empty."""
        values = self.values(column)
        return sum(len(str(value)) for value in values) / len(values) if values else 0.0


def is_empty(value: object) -> bool:
    """Nothing, or only blanks."""
    return value is None or value == [] or value == {} or (isinstance(value, str) and not value.strip())


def _kind(value: object) -> Kind:
    if isinstance(value, str):
        items = list_in_text(value)
        if items is not None:
            return _kind(items)
        return "number" if number_in(value) is not None else "text"
    if isinstance(value, (bool, int, float)):
        return "number"
    if isinstance(value, (list, tuple)):
        if all(isinstance(item, str) for item in value):
            return "texts"
        return "numbers" if all(isinstance(item, (int, float)) for item in value) else "object"
    return "object" if isinstance(value, dict) else "text"


def list_in_text(value: str) -> list[Any] | None:
    """The list that a cell holds as JSON or as a Python literal (``['a', 'b']``), or None."""
    stripped = value.strip()
    if not (stripped.startswith("[") and stripped.endswith("]")) or len(stripped) > _LIST_LIMIT:
        return None
    try:
        found = json.loads(stripped)
    except (ValueError, RecursionError):
        try:
            found = ast.literal_eval(stripped)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return None
    return found if isinstance(found, list) and all(isinstance(item, (str, int, float)) for item in found) else None


def number_in(text: str) -> float | None:
    """The finite number that a text is, also in full-width digits, or None."""
    plain = unicodedata.normalize("NFKC", text).strip()
    if not plain or plain[0] not in "+-.0123456789" or "_" in plain:
        return None
    try:
        found = float(plain)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def score_of(value: object) -> float | None:
    """A score: a finite number, its text, or a word for yes (1) or no (0) in English or Chinese; else None."""
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, (int, float)):
        try:
            found = float(value)
        except OverflowError:
            return None
        return found if math.isfinite(found) else None
    if not isinstance(value, str):
        return None
    number = number_in(value)
    return word_score(value) if number is None else number


def word_score(value: object) -> float | None:
    """1 or 0 for a word that says yes or no, else None."""
    word = unicodedata.normalize("NFKC", value).strip().casefold() if isinstance(value, str) else ""
    return 1.0 if word in _YES else 0.0 if word in _NO else None
