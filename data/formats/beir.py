"""BEIR folders: corpus, queries and qrels (Thakur et al., 2021)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from data.cells import Cells
from data.column_names import EXACT
from data.columns import columns_of, guesses, mapping_problems
from data.examples import Document
from data.formats.base import CollectionFormat, Detection, Judgment, Role
from data.language import N_
from data.problems import BadData, Where, error, say, warning
from data.qrels import read_qrels
from data.reading import Report, read
from data.source import Source


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
            told = say(
                "A folder with corpus, queries and qrels has the format beir, not {format}.", format=source.format
            )
            raise BadData(error("unknown-format", told, source.at(key="format")))
        problems = tuple(
            problem for part in source.parts.values() for problem in part.notes if problem not in source.notes
        )
        serious = tuple(problem for problem in problems if problem.severity != "note" and problem.code != "no-header")
        corpus = _columns(source.parts["corpus"], mapping)
        _columns(source.parts["queries"], mapping)
        shown = {role: (column,) for role, column in corpus.items()}
        return Detection(self, source, shown, 1.0, serious)

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
        """The queries as a stream; one without id or text is reported and left out."""
        source = detection.source.parts["queries"]
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
        told = say(
            "No column was found for {roles}; the columns are {columns}.",
            roles=", ".join(missing),
            columns=", ".join(source.columns),
        )
        raise BadData(
            error("unmapped-columns", told, source.at(), say("Say which it is: --map id=COLUMN --map text=COLUMN."))
        )
    return found
