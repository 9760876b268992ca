"""A test collection in one JSON object: texts by id, and the documents of each query, as LlamaIndex writes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from tunewiz.data.formats.collections import CollectionFormat
from tunewiz.data.formats.format import Detection, Role
from tunewiz.data.reading.json_document import collection_keys
from tunewiz.data.reading.records import read
from tunewiz.data.reading.source import Source
from tunewiz.data.rows.examples import Document, Judgment
from tunewiz.language import N_
from tunewiz.problems import Problem, Report, Where, error, say

_SPLIT = "all"


class JsonCollection(CollectionFormat):
    """Queries and corpus as objects of texts by id; judgments as lists of ids, or ids with grades, by query."""

    name: ClassVar[str] = "json_collection"
    title: ClassVar[str] = N_("Test collection (JSON)")
    description: ClassVar[str] = N_(
        "One JSON object with queries and corpus by id, and the documents of each query, as LlamaIndex writes it."
    )
    roles: ClassVar[tuple[Role, ...]] = (Role("queries"), Role("corpus"), Role("judgments"))

    def detect(self, source: Source, mapping: Mapping[str, str]) -> Detection | None:
        """A file with one object that holds all three."""
        if source.container not in ("json", "jsonl") or len(source.columns) < 3 or source.rows_under:
            return None
        if source.format not in ("auto", self.name):
            return None
        keys = collection_keys(_object(source))
        if keys is None:
            return None
        shown = dict(zip(("queries", "corpus", "judgments"), ((key,) for key in keys), strict=True))
        return Detection(self, source, shown, 1.0)

    def splits(self, detection: Detection) -> tuple[str, ...]:
        """One for all."""
        return (_SPLIT,)

    def documents(self, detection: Detection, report: Report) -> Iterator[tuple[str, Document, Where]]:
        """The corpus."""
        for name, text in _part(detection, "corpus").items():
            yield str(name), Document(text), detection.source.at()

    def queries(self, detection: Detection, report: Report) -> Iterator[tuple[str, str, Where]]:
        """The queries."""
        for name, text in _part(detection, "queries").items():
            yield str(name), text, detection.source.at()

    def judgments(self, detection: Detection, split: str, report: Report) -> Iterator[Judgment]:
        """A list names the documents that answer; an object gives each a grade."""
        where = detection.source.at()
        for query, judged in _part(detection, "judgments").items():
            graded = judged.items() if isinstance(judged, dict) else ((document, 1) for document in judged)
            for document, grade in graded:
                if isinstance(grade, (int, float)) and grade == int(grade):
                    yield Judgment(str(query), str(document), int(grade), where)
                else:
                    message = say("The score {value} is no whole number; the row is left out.", value=grade)
                    report(error("bad-score", message, where, say("Write a grade: 0, 1, 2 …")))


def _part(detection: Detection, role: str) -> dict[str, Any]:
    held = _object(detection.source).get(detection.column(role))
    return held if isinstance(held, dict) else {}


def _object(source: Source) -> dict[str, Any]:
    """The only object of a file; empty where there are several."""
    rows = read(source, _quiet)
    first, second = next(rows, None), next(rows, None)
    return {} if first is None or second is not None else first.values


def _quiet(_problem: Problem) -> None:
    """What is wrong with the text is told where it is read as rows."""
