"""Test collections: corpus, queries and judgments brought together, with what does not fit reported."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from tunewiz.data.formats.format import Detection, RetrievalFormat, Shape
from tunewiz.data.reading.source import Row, Source
from tunewiz.data.rows.examples import Collection, Document, Group, Judgment, ScoredPair
from tunewiz.problems import BadData, Message, Problem, Report, Where, error, say, warning


class CollectionFormat(RetrievalFormat):
    """Formats that are a corpus with queries and judgments."""

    shape: ClassVar[Shape] = "collection"

    def examples(self, detection: Detection, rows: Iterable[Row], report: Report) -> Iterator[Group | ScoredPair]:
        """The judged queries of the source's split as groups; ``rows`` is not read."""
        return groups_from_qrels(detection, detection.source.split, report)

    @abstractmethod
    def detect(self, source: Source, mapping: Mapping[str, str]) -> Detection | None:
        """The source as this format, or None when it is another."""

    @abstractmethod
    def splits(self, detection: Detection) -> tuple[str, ...]:
        """Names of the splits that have judgments."""

    @abstractmethod
    def documents(self, detection: Detection, report: Report) -> Iterator[tuple[str, Document, Where]]:
        """(id, document, place) for each document, as a stream; ids may repeat."""

    @abstractmethod
    def queries(self, detection: Detection, report: Report) -> Iterator[tuple[str, str, Where]]:
        """(id, text, place) for each query, as a stream; ids may repeat."""

    @abstractmethod
    def judgments(self, detection: Detection, split: str, report: Report) -> Iterator[Judgment]:
        """Each judgment of a split that can be read, as a stream; ids are not checked."""


#: A split to use when none is named, best first.
_SPLITS = ("train", "all")


def documents(detected: Detection, report: Report) -> Iterator[tuple[str, Document]]:
    """The corpus as a stream. Ids are held in memory to find duplicates."""
    seen: set[str] = set()
    for name, document, where in _format(detected).documents(detected, report):
        if _new(name, where, seen, report):
            yield name, document


def queries(detected: Detection, report: Report) -> Iterator[tuple[str, str]]:
    """The queries as a stream. Ids are held in memory to find duplicates."""
    seen: set[str] = set()
    for name, text, where in _format(detected).queries(detected, report):
        if _new(name, where, seen, report):
            yield name, text


def _format(detected: Detection) -> CollectionFormat:
    if isinstance(detected.format, CollectionFormat):
        return detected.format
    message = say("The format {format} is no test collection.", format=detected.format.name)
    fix = say("Give a folder with corpus, queries and qrels.")
    raise BadData(error("no-collection", message, detected.source.at(), fix))


def _new(name: str, where: Where, seen: set[str], report: Report) -> bool:
    if name not in seen:
        seen.add(name)
        return True
    message = say("The id {id} is there twice; the first one counts.", id=name)
    report(warning("duplicate-id", message, where))
    return False


def read_judgments(detected: Detection, split: str, report: Report) -> Iterator[Judgment]:
    """The judgments of a split, each pair once. Raises :class:`BadData` (``unknown-split``)."""
    format_ = _format(detected)
    grades: dict[tuple[str, str], int] = {}
    for item in format_.judgments(detected, _split(detected, format_, split), report):
        key = (item.query, item.document)
        if key not in grades:
            grades[key] = item.grade
            yield item
        else:
            report(_twice(item, grades[key]))


def _twice(item: Judgment, first: int) -> Problem:
    if item.grade == first:
        message = say(
            "Query {query} and document {document} are judged twice.", query=item.query, document=item.document
        )
        return warning("duplicate-judgment", message, item.where)
    message = say(
        "Query {query} and document {document} are judged {first} and {second}; the first one counts.",
        query=item.query,
        document=item.document,
        first=first,
        second=item.grade,
    )
    return warning("conflicting-judgment", message, item.where)


def _split(detected: Detection, format_: CollectionFormat, wanted: str) -> str:
    names = format_.splits(detected)
    if wanted in names:
        return wanted
    usual = [name for name in _SPLITS if name in names] or list(names[:1] if len(names) == 1 else ())
    if wanted in ("auto", "") and usual:
        return usual[0]
    message = say("There is no split {split}; there are: {names}.", split=wanted, names=tuple(names))
    raise BadData(error("unknown-split", message, detected.source.at(), say("Name one of them.")))


def qrels(detected: Detection, split: str, report: Report) -> dict[str, dict[str, int]]:
    """``qrels[query][document] = grade``; ids are not checked."""
    found: dict[str, dict[str, int]] = {}
    for item in read_judgments(detected, split, report):
        found.setdefault(item.query, {})[item.document] = item.grade
    return found


def collection(detected: Detection, split: str, report: Report) -> Collection:
    """Everything of a split in memory. ``queries`` holds the judged ones only."""
    corpus = dict(documents(detected, report))
    every = dict(queries(detected, report))
    found: dict[str, dict[str, int]] = {}
    items = list(read_judgments(detected, split, report))
    for item in _known(iter(items), every, corpus, report):
        found.setdefault(item.query, {})[item.document] = item.grade
    _refuse_strangers(detected, found, *_odd_ids(items, every, corpus))
    return Collection(corpus, {name: every[name] for name in found}, found)


def groups_from_qrels(detected: Detection, split: str, report: Report) -> Iterator[Group]:
    """Judged queries as groups, in the order of the judgments. Holds queries and judged documents in memory."""
    items = list(read_judgments(detected, split, report))
    wanted = {item.document for item in items}
    texts = {name: document.full for name, document in documents(detected, report) if name in wanted}
    every = dict(queries(detected, report))
    by_query: dict[str, list[Judgment]] = {}
    for item in _known(iter(items), every, texts, report):
        by_query.setdefault(item.query, []).append(item)
    _refuse_strangers(detected, by_query, *_odd_ids(items, every, texts))
    for name, of_query in by_query.items():
        group = _group(name, every[name], of_query, texts)
        if group is None:
            message = say("Query {query} has no document that answers it.", query=name)
            report(warning("no-positive", message, of_query[0].where))
        else:
            yield group


def _odd_ids(items: list[Judgment], queries_: Mapping[str, str], texts: Mapping[str, Any]) -> tuple[str, str]:
    """An id of the judgments that is not there, and one that is."""
    if not items or not queries_:
        return "", ""
    first = items[0]
    if first.query not in queries_:
        return first.query, next(iter(queries_))
    return (first.document, next(iter(texts))) if texts else ("", "")


def _known(
    items: Iterator[Judgment], queries_: dict[str, str], texts: dict[str, Any], report: Report
) -> Iterator[Judgment]:
    """Judgments whose query and document exist; the others are reported."""
    for item in items:
        if item.query not in queries_:
            message = say("Query {query} is not among the queries; the judgment is left out.", query=item.query)
            report(warning("unknown-query", message, item.where))
        elif item.document not in texts:
            message = say("Document {document} is not in the corpus; the judgment is left out.", document=item.document)
            report(warning("unknown-document", message, item.where))
        else:
            yield item


def _refuse_strangers(detected: Detection, found: dict[str, Any], judged: str, known: str) -> None:
    if not found:
        message = say("No judgment fits the queries and the corpus.")
        fix = say("Check that qrels, queries and corpus belong together and the ids are written alike.")
        told = unlike_ids(judged, known)
        raise BadData(error("no-judgments", message, detected.source.at(), told or fix))


def unlike_ids(judged: str, known: str) -> Message | None:
    """What differs between an id of the judgments and one of the file that should hold it."""
    if not judged or not known:
        return None
    shown = say("The judgments have ids like {judged}, the file has ids like {known}", judged=judged, known=known)
    if judged.removesuffix(".0") != judged and known.removesuffix(".0") == known:
        return say("{shown}: they were written as decimals (.0); write them as whole numbers.", shown=shown)
    if known.removesuffix(".0") != known:
        return say(
            "{shown}: those of the file were written as decimals (.0); write them as whole numbers.", shown=shown
        )
    if judged.casefold() == known.casefold():
        return say("{shown}: they differ in capitals.", shown=shown)
    if judged.lstrip("0") == known.lstrip("0"):
        return say("{shown}: they differ in zeros at the beginning.", shown=shown)
    if judged.isdecimal() != known.isdecimal():
        return say("{shown}: one are bare numbers, the others have letters or marks.", shown=shown)
    return say("{shown}.", shown=shown)


def _group(name: str, query: str, items: list[Judgment], texts: dict[str, str]) -> Group | None:
    positives = [item for item in items if item.grade > 0 and texts[item.document].strip()]
    negatives = [item for item in items if item.grade <= 0 and texts[item.document].strip()]
    if not positives or not query.strip():
        return None
    return Group(
        query=query,
        positives=tuple(texts[item.document] for item in positives),
        negatives=tuple(texts[item.document] for item in negatives),
        query_id=name,
        positive_ids=tuple(item.document for item in positives),
        line=items[0].where.line,
    )
