"""Cells as texts, lists of texts and scores; a cell that cannot be read as what its role needs is reported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from data.problems import Problem, error, say, warning
from data.source import Row, Source
from data.table import is_empty, list_in_text, score_of


@dataclass(frozen=True)
class Cells:
    """The cells of one row. Each method reports what it cannot read and answers with what it could."""

    source: Source
    row: Row
    report: Callable[[Problem], None]

    def text(self, column: str) -> str | None:
        """The text of a cell; "" when it is empty, None (reported) when it holds a list or an object of several."""
        value = self.row.values.get(column)
        if is_empty(value):
            return ""
        if isinstance(value, (list, tuple)) and len(value) == 1 and isinstance(value[0], str):
            return value[0]
        if isinstance(value, (list, tuple, dict)):
            self._not_text(column, value)
            return None
        return value if isinstance(value, str) else str(value)

    def texts(self, columns: Sequence[str]) -> list[str]:
        """The texts of several cells, and of lists in them, in order and without empty ones."""
        found: list[str] = []
        for column in columns:
            value = self.row.values.get(column)
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
        value = self.row.values.get(column)
        items = list_in_text(value) if isinstance(value, str) else value
        if is_empty(items):
            return ()
        listed = list(items) if isinstance(items, (list, tuple)) else [items]
        read = [score_of(item) for item in listed]
        numbers = tuple(score for score in read if score is not None)
        if len(numbers) == len(listed) == count:
            return numbers
        told = say("{found} scores for {count} texts; the scores are left out.", found=len(numbers), count=count)
        self.report(warning("score-count", told, self.source.at(self.row.line, column)))
        return ()

    def _not_text(self, column: str, value: object) -> None:
        kind = type(value).__name__
        told = say("The column {column} should hold text and holds a {kind}.", column=column, kind=kind)
        self.report(error("not-text", told, self.source.at(self.row.line, column)))
