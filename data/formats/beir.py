"""BEIR folders (Thakur et al., 2021): corpus, queries, and judgments (qrels) in BEIR's three columns or TREC's four.

Judgments are read line by line, so that each bad one has its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import ClassVar, Final

from tunewiz.data.formats.collections import CollectionFormat
from tunewiz.data.formats.format import Detection, Role
from tunewiz.data.reading.cells import Cells, number_in, score_of
from tunewiz.data.reading.columns import EXACT, columns_of, guesses, is_known, mapping_problems
from tunewiz.data.reading.delimited import Dialect, parse
from tunewiz.data.reading.records import read
from tunewiz.data.reading.scales import known_labels, label_word
from tunewiz.data.reading.source import Source
from tunewiz.data.reading.streams import lines
from tunewiz.data.rows.examples import Document, Judgment
from tunewiz.language import N_
from tunewiz.problems import BadData, Problem, Report, Where, error, say, warning


class Beir(CollectionFormat):
    """A corpus (id, title, text), queries (id, text) and graded judgments by split."""

    name: ClassVar[str] = "beir"
    title: ClassVar[str] = N_("Test collection (BEIR)")
    description: ClassVar[str] = N_("A folder with corpus.jsonl, queries.jsonl and qrels/<split>.tsv.")
    roles: ClassVar[tuple[Role, ...]] = (Role("id"), Role("text"), Role("title", required=False))

    def detect(self, source: Source, mapping: Mapping[str, str]) -> Detection | None:
        """A source that has the parts of a collection."""
        if source.container != "beir":
            return None
        if source.format not in ("auto", self.name):
            message = say(
                "A folder with corpus, queries and qrels has the format beir, not {format}.", format=source.format
            )
            raise BadData(error("unknown-format", message, source.at(key="format")))
        problems = tuple(
            problem for part in source.parts.values() for problem in part.notes if problem not in source.notes
        )
        serious = tuple(problem for problem in problems if problem.severity != "note" and problem.code != "no-header")
        corpus = _columns(source.parts["corpus"], mapping)
        _columns(source.parts["queries"], mapping)
        shown = {role: (column,) for role, column in corpus.items()}
        qrels = [part for name, part in source.parts.items() if name.startswith("qrels/")]
        fractions = [problem for part in qrels if (problem := fractional_grades(part)) is not None]
        return Detection(self, source, shown, 1.0, (*fractions, *serious))

    def splits(self, detection: Detection) -> tuple[str, ...]:
        """The names of the qrels files; "all" for ``qrels.tsv``."""
        return detection.source.splits

    def documents(self, detection: Detection, report: Report) -> Iterator[tuple[str, Document, Where]]:
        """The corpus as a stream; an empty document is reported and kept, as judgments may name it."""
        source = detection.source.parts["corpus"]
        columns = _columns(source, detection.source.mapping)
        for row in read(source, report):
            cells = Cells(source, row, report)
            name, text = cells.text(columns["id"]), cells.text(columns["text"])
            title = cells.text(columns["title"]) if "title" in columns else ""
            if not name:
                report(warning("missing-id", say("There is no id; the row is left out."), source.at(row.line)))
                continue
            document = Document(text or "", title or "")
            if not document.full:
                report(warning("empty-document", say("Document {id} is empty.", id=name), source.at(row.line)))
            yield name, document, source.at(row.line)

    def queries(self, detection: Detection, report: Report) -> Iterator[tuple[str, str, Where]]:
        """The queries as a stream; one without id or text is reported and left out.

        Of a split that is a part of another one (``dev.small`` of ``dev``), what was there before is passed over.
        """
        parts = [part for name, part in detection.source.parts.items() if name.split("/")[0] == "queries"]
        seen: set[tuple[str, str]] = set()
        for part in parts:
            for name, text, where in self._queries_of(part, detection, report):
                if (name, text) not in seen or len(parts) == 1:
                    yield name, text, where
                if len(parts) > 1:
                    seen.add((name, text))

    @staticmethod
    def _queries_of(source: Source, detection: Detection, report: Report) -> Iterator[tuple[str, str, Where]]:
        columns = _columns(source, detection.source.mapping)
        for row in read(source, report):
            cells = Cells(source, row, report)
            name, text = cells.text(columns["id"]), cells.text(columns["text"])
            if name and text:
                yield name, text, source.at(row.line)
            else:
                report(
                    warning(
                        "empty-query", say("The id or the text is empty; the row is left out."), source.at(row.line)
                    )
                )

    def judgments(self, detection: Detection, split: str, report: Report) -> Iterator[Judgment]:
        """The qrels file of the split."""
        return read_qrels(detection.source.parts[f"qrels/{split}"], report)


def _columns(source: Source, mapping: Mapping[str, str]) -> dict[str, str]:
    """Role -> column of a corpus or queries file. Raises :class:`BadData` when id or text stay open."""
    given = {role: value for role, value in mapping.items() if columns_of(value, source.columns)[0] in source.columns}
    wrong = mapping_problems(given, source.columns, [role.name for role in Beir.roles], source.at())
    if wrong:
        raise BadData(*wrong)
    found = dict(given)
    for role in ("id", "text", "title"):
        free = [column for column in source.columns if column not in found.values()]
        named = [guess for guess in guesses(role, free) if role != "title" or guess.strength == EXACT]
        if role not in found and named:
            found[role] = named[0].column
    if not source.header and len(source.columns) in (2, 3) and source.container in ("csv", "tsv"):
        order = ("id", "text") if len(source.columns) == 2 else ("id", "title", "text")
        found = dict(zip(order, source.columns, strict=True)) | found
    missing = [role for role in ("id", "text") if role not in found]
    if missing:
        message = say(
            "No column was found for {roles}; the columns are {columns}.",
            roles=tuple(missing),
            columns=tuple(source.columns),
        )
        raise BadData(
            error("unmapped-columns", message, source.at(), say("Say which it is: --map id=COLUMN --map text=COLUMN."))
        )
    return found


_ROLES: Final = ("query_id", "document_id", "score")


def read_qrels(source: Source, report: Report) -> Iterator[Judgment]:
    """Each judgment that can be read; what cannot is an error, spaces for tabs are mended with a warning."""
    labels = known_labels((), source.labels)
    for cells, where in _rows(source, report):
        item = _judgment(cells, where, labels, report)
        if item is not None:
            yield item


def _rows(source: Source, report: Report) -> Iterator[tuple[list[str], Where]]:
    """Query, document and grade of each row as they are written."""
    if source.container in ("csv", "tsv"):
        yield from _from_lines(source, report)
        return
    columns = _by_name(source.columns)
    if columns is None:
        message = say(
            "The judgments need a query id, a document id and a score; found {columns}.",
            columns=tuple(source.columns),
        )
        raise BadData(error("bad-qrels", message, source.at()))
    for row in read(source, report):
        yield (
            ["" if (value := row.values.get(column)) is None else str(value) for column in columns],
            source.at(row.line),
        )


#: Judgments that are looked at for fractions before anything else is told.
_LOOKED: Final = 50_000
#: More different fractions than this are no grades that could be numbered.
_GRADES: Final = 10


def fractional_grades(source: Source) -> Problem | None:
    """An error that says how to make grades whole, where some of them are fractions."""
    labels = known_labels((), source.labels)
    found: set[float] = set()
    try:
        for cells, _ in islice(_rows(source, lambda _problem: None), _LOOKED):
            score = score_of(cells[2]) if len(cells) > 2 and label_word(cells[2]) not in labels else None
            if score is not None and len(found) <= _GRADES:
                found.add(score)
    except BadData:
        return None
    if all(score == int(score) for score in found):
        return None
    grades = sorted(found)
    message = say("Grades must be whole numbers; there are {grades}.", grades=tuple(f"{n:g}" for n in grades))
    fix = say("Round them, or write 0, 1, 2 …")
    if len(grades) <= _GRADES:
        numbers = {grade: max(0, place) for place, grade in enumerate(grades, int(grades[0] > 0))}
        shown = ",".join(f"{grade:g}={0 if grade <= 0 else number}" for grade, number in numbers.items())
        fix = say("Number them: --labels {labels} (data.labels in a preset).", labels=shown)
    return error("fractional-grades", message, source.at(), fix)


def _by_name(columns: tuple[str, ...]) -> list[str] | None:
    """The columns of query id, document id and score (absent = every judgment is 1)."""
    found: list[str] = []
    for role in _ROLES:
        named = [guess.column for guess in guesses(role, columns) if guess.column not in found]
        if named:
            found.append(named[0])
    return found if len(found) >= 2 else None


def _from_lines(source: Source, report: Report) -> Iterator[tuple[list[str], Where]]:
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
            message = say(
                "{found} cells where a judgment has {width}; the row is left out.", found=len(cells), width=width
            )
            report(error("ragged-row", message, where))
            continue
        yield [cells[index] if index < len(cells) else "" for index in order], where


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
    # TREC: query, iteration, document, grade; BEIR: query, document, grade.
    return [0, 2, 3] if len(cells) == 4 else [0, 1, 2][: max(2, len(cells))]


def _judgment(cells: list[str], where: Where, labels: Mapping[str, float], report: Report) -> Judgment | None:
    """A judgment of (query, document[, score]); a missing third column means relevant."""
    query, document = cells[0], cells[1]
    if not query or not document:
        message = say("The query id or the document id is missing; the row is left out.")
        report(error("missing-id", message, where))
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
    worth = labels.get(label_word(cells[2]))
    score = score_of(cells[2]) if worth is None else worth
    if score is None or score != int(score):
        message = say("The score {value} is no whole number; the row is left out.", value=cells[2])
        report(error("bad-score", message, where, say("Write a grade: 0, 1, 2 …")))
        return None
    return Judgment(query, document, int(score), where)
