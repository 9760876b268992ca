"""Scored pairs: two texts and how similar or relevant they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

from data.cells import Cells
from data.examples import Group, ScoredPair
from data.formats.base import Detection, RetrievalFormat, Role, Shape
from data.language import N_
from data.problems import error, say, warning
from data.reading.streams import Report
from data.source import Row
from data.table import Table, is_empty, score_of, word_score


class Scored(RetrievalFormat):
    """Two texts and a number a row: 0/1, grades, or any scale of floats."""

    name: ClassVar[str] = "scored"
    title: ClassVar[str] = N_("Scored pairs")
    description: ClassVar[str] = N_("Two texts and a label or score in each row: 0/1, grades such as 0–3, or decimals.")
    shape: ClassVar[Shape] = "scored"
    roles: ClassVar[tuple[Role, ...]] = (Role("sentence1"), Role("sentence2"), Role("score"))

    def synonyms(self) -> Mapping[str, str]:
        """A query and a document can be mapped by those names."""
        return {"query": "sentence1", "positive": "sentence2", "document": "sentence2", "label": "score"}

    def fits(self, role: Role, column: str, table: Table) -> bool:
        """A score column must hold scores in at least half of the rows that have any."""
        if role.name == "score":
            return table.score_share(column) >= 0.5 or not table.rows
        return super().fits(role, column, table)

    def examples(self, detection: Detection, rows: Iterable[Row], report: Report) -> Iterator[Group | ScoredPair]:
        """A :class:`ScoredPair` for each row with two texts and a score."""
        for row in rows:
            pair = self._pair(detection, Cells(detection.source, row, report))
            if pair is not None:
                yield pair

    def _pair(self, detection: Detection, cells: Cells) -> ScoredPair | None:
        texts = []
        for role, code in (("sentence1", "empty-query"), ("sentence2", "empty-positive")):
            text = cells.text(detection.column(role))
            if text is None:
                return None
            if not text:
                told = say("The column {column} is empty; the row is left out.", column=detection.column(role))
                cells.report(warning(code, told, cells.source.at(cells.row.line)))
                return None
            texts.append(text)
        score = self._score(detection, cells)
        return None if score is None else ScoredPair(texts[0], texts[1], score, cells.row.line)

    @staticmethod
    def _score(detection: Detection, cells: Cells) -> float | None:
        column = detection.column("score")
        value = cells.row.values.get(column)
        where = cells.source.at(cells.row.line)
        if is_empty(value):
            told = say("The column {column} is empty; the row is left out.", column=column)
            cells.report(warning("missing-score", told, where))
            return None
        score = score_of(value)
        if score is None:
            told = say("{value} in the column {column} is no score; the row is left out.", value=value, column=column)
            cells.report(error("bad-score", told, where, say("Write a number.")))
            return None
        highest = detection.scale[1] if detection.scale else 1.0
        if highest > 1 and word_score(value) is not None:
            told = say(
                "{value} says yes or no where scores go up to {highest}; left out.", value=value, highest=highest
            )
            cells.report(warning("label-word", told, where, say("Write the number of the scale that is meant.")))
            return None
        return score
