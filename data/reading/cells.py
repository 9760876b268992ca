"""Cells: what kind of values the columns of a sample hold, and how a cell becomes a text, a list or a score."""

from __future__ import annotations

import ast
import json
import math
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

from tunewiz.data.reading.expressions import parse_nested as parse_nested
from tunewiz.data.reading.expressions import value_at
from tunewiz.data.reading.scales import known_labels, label_word, with_point, word_worth
from tunewiz.data.reading.source import Row, Source
from tunewiz.problems import Problem, error, say, warning

Kind = Literal["empty", "text", "number", "texts", "numbers", "object"]

#: A longer cell is a text that happens to stand in brackets: ast.literal_eval needs 200 to 500 bytes a character of it.
_LIST_LIMIT: Final = 1 << 20


@dataclass(frozen=True)
class Table:
    """Columns of a source and its first rows."""

    source: Source
    columns: tuple[str, ...]
    rows: Sequence[Row]

    @cached_property
    def _filled(self) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {column: [] for row in self.rows for column in row.values}
        for row in self.rows:
            for column, value in row.values.items():
                if not is_empty(value):
                    found[column].append(value)
        return found

    def values(self, column: str) -> list[Any]:
        """The values of a column, or of what an expression reaches, that are not empty."""
        if column not in self._filled:
            found = (value_at(row.values, column) for row in self.rows)
            self._filled[column] = [value for value in found if not is_empty(value)]
        return self._filled[column]

    def filled(self, column: str) -> float:
        """0-1: how many of the rows have a value in the column."""
        return len(self.values(column)) / len(self.rows) if self.rows else 0.0

    def varied(self, column: str) -> bool:
        """Whether the values differ, as texts do; with fewer than five that cannot be told and counts as true."""
        values = self.values(column)
        # Five equal values in a row are no accident of a small file.
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
        """0-1: values of the column that can be read as a score; words count where one scale knows them all."""
        values = self.values(column)
        labels = known_labels(values, self.source.labels)
        read = [label_word(value) in labels or number_of(value) is not None for value in values]
        return sum(read) / len(values) if values else 0.0

    def mean_length(self, column: str) -> float:
        """Characters of an average value that is not empty."""
        values = self.values(column)
        return sum(len(str(value)) for value in values) / len(values) if values else 0.0


def is_empty(value: object) -> bool:
    """Nothing, or only blanks."""
    if type(value) is str:
        return not value or value.isspace()
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


#: Letters that a number has at most; longer texts are not looked at, which would cost more than reading them.
_LONGEST_NUMBER: Final = 64


def number_in(text: str) -> float | None:
    """The finite number that a text is, also in full-width digits, or None."""
    if len(text) > _LONGEST_NUMBER and len(text.strip()) > _LONGEST_NUMBER:
        return None
    plain = unicodedata.normalize("NFKC", text).strip().removesuffix("%")  # a percentage, of 100
    if not plain or plain[0] not in "+-.0123456789" or "_" in plain:
        return None
    try:
        found = float(with_point(plain))
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def score_of(value: object) -> float | None:
    """A score: a finite number, its text, or a word for yes (1) or no (0) in English or Chinese; else None."""
    number = number_of(value)
    return word_worth(value) if number is None else number


def number_of(value: object) -> float | None:
    """A finite number, or the one that a text is; True is 1."""
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, (int, float)):
        try:
            found = float(value)
        except OverflowError:
            return None
        return found if math.isfinite(found) else None
    return number_in(value) if isinstance(value, str) else None


#: What begins so is no list and not blank.
_TEXT_BEGINS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


@dataclass(frozen=True)
class Cells:
    """The cells of one row. Each method reports what it cannot read and answers with what it could."""

    source: Source
    row: Row
    report: Callable[[Problem], None]

    def text(self, column: str) -> str | None:
        """The text of a cell; "" when it is empty, None (reported) when it holds a list or an object of several."""
        value = value_at(self.row.values, column)
        if type(value) is str:  # nearly always
            return "" if value.isspace() else value
        if is_empty(value):
            return ""
        if isinstance(value, (list, tuple)) and len(value) == 1 and isinstance(value[0], str):
            return value[0]
        if isinstance(value, list) and column not in self.row.values:  # what a path reaches: the parts of one text
            return "\n".join(str(item) for item in value if not is_empty(item))
        if isinstance(value, (list, tuple, dict)):
            self._not_text(column, value)
            return None
        return value if isinstance(value, str) else str(value)

    def texts(self, columns: Sequence[str]) -> list[str]:
        """The texts of several cells, and of lists in them, in order and without empty ones."""
        found: list[str] = []
        for column in columns:
            value = value_at(self.row.values, column)
            if type(value) is str and value[:1] in _TEXT_BEGINS:
                found.append(value)
                continue
            items = list_in_text(value) if isinstance(value, str) else value
            if isinstance(items, (list, tuple)):
                found += [text for item in items if (text := self._item(column, item))]
            else:
                whole = self.text(column)
                found += [whole] if whole else []
        return found

    def _item(self, column: str, item: Any) -> str:
        if isinstance(item, (list, tuple, dict)):
            self._not_text(column, item)
            return ""
        return "" if is_empty(item) else str(item)

    def scores(self, column: str, count: int) -> tuple[float, ...]:
        """Teacher scores, one for each of ``count`` texts; () and a warning when their number or a value is wrong."""
        value = value_at(self.row.values, column)
        items = list_in_text(value) if isinstance(value, str) else value
        if is_empty(items):
            return ()
        listed = list(items) if isinstance(items, (list, tuple)) else [items]
        read = [score_of(item) for item in listed]
        numbers = tuple(score for score in read if score is not None)
        if len(numbers) == len(listed) == count:
            return numbers
        message = say("{found} scores for {count} texts; the scores are left out.", found=len(numbers), count=count)
        self.report(warning("score-count", message, self.source.at(self.row.line, column)))
        return ()

    def _not_text(self, column: str, value: object) -> None:
        kind = type(value).__name__
        message = say("The column {column} should hold text and holds a {kind}.", column=column, kind=kind)
        self.report(error("not-text", message, self.source.at(self.row.line, column)))
