"""Judgments (qrels) in BEIR's three columns or TREC's four, read line by line so that each bad one has its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from data.columns import guesses, is_known
from data.formats.base import Judgment
from data.problems import BadData, Where, error, say, warning
from data.reading import Report, read
from data.reading.delimited import Dialect, parse
from data.reading.streams import lines
from data.source import Source
from data.table import number_in, score_of

_ROLES: Final = ("query_id", "document_id", "score")


def read_qrels(source: Source, report: Report) -> Iterator[Judgment]:
    """Each judgment that can be read; what cannot is an error, spaces for tabs are mended with a warning."""
    if source.container in ("csv", "tsv"):
        yield from _from_lines(source, report)
        return
    columns = _by_name(source.columns)
    if columns is None:
        told = say(
            "The judgments need a query id, a document id and a score; found {columns}.",
            columns=", ".join(source.columns),
        )
        raise BadData(error("bad-qrels", told, source.at()))
    for row in read(source, report):
        cells = ["" if (value := row.values.get(column)) is None else str(value) for column in columns]
        item = _judgment(cells, source.at(row.line), report)
        if item is not None:
            yield item


def _by_name(columns: tuple[str, ...]) -> list[str] | None:
    """The columns of query id, document id and score (absent = every judgment is 1)."""
    found: list[str] = []
    for role in _ROLES:
        named = [guess.column for guess in guesses(role, columns) if guess.column not in found]
        if named:
            found.append(named[0])
    return found if len(found) >= 2 else None


def _from_lines(source: Source, report: Report) -> Iterator[Judgment]:
    delimiter, order, width = "", [0, 1, 2], 3
    for line, text in lines(source, report):
        where = source.at(line)
        if not text.strip():
            report(warning("blank-line", say("The row is blank."), where))
            continue
        if not delimiter:
            delimiter = _delimiter(text)
            cells = _cells(text, delimiter)
            order, width = _order(cells), len(cells)
            if _is_header(cells):
                continue
        cells = _cells(text, delimiter)
        if delimiter != " " and len(cells) == 1 and len(text.split()) == width:
            cells = text.split()
            report(warning("spaces-for-tabs", say("The cells are separated by spaces, not by tabs."), where))
        if len(cells) > width and any(cells[width:]):
            told = say(
                "{found} cells where a judgment has {width}; the row is left out.", found=len(cells), width=width
            )
            report(error("ragged-row", told, where))
            continue
        item = _judgment([cells[index] if index < len(cells) else "" for index in order], where, report)
        if item is not None:
            yield item


def _delimiter(text: str) -> str:
    return next((mark for mark in ("\t", ",", ";", "|") if mark in text), " ")


def _cells(text: str, delimiter: str) -> list[str]:
    if delimiter == " ":
        return text.split()
    return [cell.strip() for cell in parse(text, Dialect(delimiter))]


def _is_header(cells: list[str]) -> bool:
    return len(cells) >= 2 and number_in(cells[-1]) is None and any(is_known(cell) for cell in cells)


def _order(cells: list[str]) -> list[int]:
    """Where query id, document id and score stand: by the header's names, else by BEIR's or TREC's custom."""
    if _is_header(cells):
        named = _by_name(tuple(cells))
        if named is not None:
            return [cells.index(name) for name in named]
    return [0, 2, 3] if len(cells) == 4 else [0, 1, 2][: max(2, len(cells))]


def _judgment(cells: list[str], where: Where, report: Report) -> Judgment | None:
    """A judgment of (query, document[, score]); a missing third column means relevant."""
    query, document = cells[0], cells[1]
    if not query or not document:
        told = say("The query id or the document id is missing; the row is left out.")
        report(error("missing-id", told, where))
        return None
    if len(cells) == 2:
        return Judgment(query, document, 1, where)
    if not cells[2]:
        report(
            error(
                "missing-score",
                say("The score is missing; the row is left out."),
                where,
                say("Write a grade: 0, 1, 2 …"),
            )
        )
        return None
    score = score_of(cells[2])
    if score is None or score != int(score):
        told = say("The score {value} is no whole number; the row is left out.", value=cells[2])
        report(error("bad-score", told, where, say("Write a grade: 0, 1, 2 …")))
        return None
    return Judgment(query, document, int(score), where)
