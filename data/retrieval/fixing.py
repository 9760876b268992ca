"""A clean copy of rows or of a test collection: what cannot be used is left out, the rest is tidied and counted."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from tunewiz.data.formats import collections
from tunewiz.data.formats.collections import read_judgments
from tunewiz.data.formats.format import Detection
from tunewiz.data.opening import opened
from tunewiz.data.reading.expressions import value_at
from tunewiz.data.reading.source import Row, Source
from tunewiz.data.retrieval.cleaning import Cleaner
from tunewiz.data.retrieval.prepared import record_of
from tunewiz.data.rows.examples import Document, Example, Judgment, ScoredPair
from tunewiz.data.text.cleaning import clean_text, identifier, normalise_spaces, without_controls
from tunewiz.data.text.duplicates import Seen, fingerprint
from tunewiz.files import whole, write_jsonl
from tunewiz.problems import BadPreset, Finding, Findings, Message, Where, error, say, warning

TABLE_DELIMITERS: Final = {".csv": ",", ".tsv": "\t"}
_HEADERS: Final = {
    "pairs": ("query", "positive"),
    "turns": ("query", "positive"),
    "triplets": ("query", "positive", "negative"),
    "scored": ("sentence1", "sentence2", "score"),
}
#: Different labels that are counted; more of them are scores.
_LABELS: Final = 20
#: Why a judgment is left out.
_LEFT_OUT: Final = ("bad-score", "missing-score", "missing-id", "ragged-row", "unknown-query", "unknown-document")
_EXTRA: Final = ("query_id", "document_id", "instruction")


@dataclass(frozen=True)
class Fixed:
    """What was written: ``kept`` of ``read`` rows (documents and queries, for a collection).

    ``done`` counts cleaning by code (:data:`tunewiz.data.text.cleaning.CLEANED`), ``reading`` is what was found while
    reading, ``lost`` says what is missing from the copy that a person would want to know of.
    """

    path: Path
    read: int
    kept: int
    done: dict[str, int]
    reading: tuple[Finding, ...]
    lost: tuple[Message, ...] = ()


class _Counted:
    """Rows on their way, counted."""

    def __init__(self, detection: Detection, findings: Findings) -> None:
        self.count = 0
        self.last = Row(0, {})
        self._rows = detection.format.rows(detection, findings)

    def __iter__(self) -> Iterator[Row]:
        for item in self._rows:
            self.count += 1
            self.last = item
            yield item


def fix_rows(source: Source, detection: Detection, out: Path, findings: Findings) -> Fixed:
    """A clean copy of training rows; see :func:`tunewiz.data.inspection.fix`."""
    rows, cleaner = _Counted(detection, findings), Cleaner()
    delimiter = TABLE_DELIMITERS.get(out.suffix.casefold())
    header = _HEADERS.get(detection.format.name)
    if delimiter and not header:
        message = say("Rows of the format {format} hold lists, which a table does not.", format=detection.format.name)
        raise BadPreset(error("no-table", message, Where(file=str(out)), say("Name a .jsonl file.")))

    extra = tuple(role for role in _EXTRA if role in detection.mapping)

    labels = _LabelsKept(detection.column("score"), rows)

    def kept() -> Iterator[dict[str, Any]]:
        for example in opened.examples_of(detection, labels, findings):
            cleaned, _ = cleaner.clean(example)
            if cleaned is not None:
                labels.keep()
                yield from _records(cleaned, extra) if header else [_whole_record(cleaned)]

    if delimiter and header:
        count = _write_table(out, (*header, *extra), delimiter, kept())
    else:
        count = write_jsonl(out, kept())
    return Fixed(out, rows.count, count, dict(cleaner.done), findings.summary(), tuple(labels.lost()))


class _LabelsKept:
    """The rows on their way, with how many of each label there were and how many were kept."""

    def __init__(self, column: str, rows: _Counted) -> None:
        self._column = column
        self._rows = rows
        self._read = Counter[str]()
        self._kept = Counter[str]()

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            if self._column and (label := self._label()) and (label in self._read or len(self._read) < _LABELS):
                self._read[label] += 1
            yield row

    def _label(self) -> str:
        value = value_at(self._rows.last.values, self._column)
        return "" if value is None else str(value).strip()

    def keep(self) -> None:
        """The example of the row that was read last is kept."""
        if self._column:
            self._kept[self._label()] += 1

    def lost(self) -> Iterator[Message]:
        """Labels of which no row is left."""
        if not self._kept:
            return
        for label, count in self._read.items():
            if not self._kept[label]:
                column = self._column
                yield say(
                    "No row whose {column} is {label} is left, of {count}.", column=column, label=label, count=count
                )


def _whole_record(example: Example) -> dict[str, Any]:
    return {key: _tidy(value, Counter()) for key, value in record_of(example).items() if key != "line"}


def _records(example: Example, extra: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """``example`` in columns that are taken at their word; several positives or negatives become several rows."""
    if isinstance(example, ScoredPair):
        yield _whole_record(example)
        return
    more = {"query_id": identifier(example.query_id), "instruction": clean_text(example.instruction)[0]}
    for positive, name in zip_longest(example.positives, example.positive_ids, fillvalue=""):
        values = more | {"document_id": identifier(name)}
        for negative in example.negatives or ("",):
            record = {"query": example.query, "positive": positive}
            record |= {"negative": negative} if negative else {}
            yield record | {role: values[role] for role in extra}


def _write_table(out: Path, header: tuple[str, ...], delimiter: str, records: Iterator[dict[str, Any]]) -> int:
    count = 0
    with whole(out, newline="") as stream:
        table = csv.DictWriter(stream, header, restval="", delimiter=delimiter, lineterminator="\n")
        table.writeheader()
        for record in records:
            table.writerow(record)
            count += 1
    return count


def _tidy(value: Any, done: Counter[str]) -> Any:
    """Text anywhere in ``value`` without control characters and trailing blanks; markup may be the answer itself."""
    if isinstance(value, str):
        for code, step in (("control-characters", without_controls), ("whitespace", normalise_spaces)):
            changed = step(value)
            done[code] += changed != value
            value = changed
        return value
    if isinstance(value, dict):
        return {without_controls(key): _tidy(item, done) for key, item in value.items()}
    return [_tidy(item, done) for item in value] if isinstance(value, list) else value


def fix_collection(source: Source, detection: Detection, out: Path, findings: Findings) -> Fixed:
    """``corpus.jsonl``, ``queries.jsonl`` and ``qrels/<split>.tsv`` with each id once and every judgment known.

    The judgments come last: a folder without them is no test collection, so that a half-written one is seen as such.
    """
    if out.suffix:
        message = say("A test collection is written as a folder.")
        raise BadPreset(error("no-table", message, Where(file=str(out)), say("Name a folder.")))
    done = Counter[str]()
    documents, queries = Seen(), Seen()
    read_documents = _write_texts(out / "corpus.jsonl", collections.documents(detection, findings), documents, done)
    read_queries = _write_texts(out / "queries.jsonl", collections.queries(detection, findings), queries, done)
    judgments = 0
    for split in opened.splits_of(detection):
        with whole(out / "qrels" / f"{split}.tsv") as stream:
            stream.write("query-id\tcorpus-id\tscore\n")
            for item in read_judgments(detection, split, findings):
                if _known(item, documents, queries, findings):
                    stream.write(f"{identifier(item.query)}\t{identifier(item.document)}\t{item.grade}\n")
                    judgments += 1
    left_out = sum(findings.count(code) for code in _LEFT_OUT)
    lost = (say("{count} of {total} judgments were left out.", count=left_out, total=judgments + left_out),) * bool(
        left_out
    )
    kept = len(documents) + len(queries)
    return Fixed(out, read_documents + read_queries, kept, dict(done), findings.summary(), lost)


def _write_texts(path: Path, texts: Iterator[tuple[str, Any]], kept: Seen, done: Counter[str]) -> int:
    """Write documents or queries, cleaned; ``kept`` takes their ids. How many there were."""
    count = 0

    def records() -> Iterator[dict[str, str]]:
        nonlocal count
        for given, item in texts:
            count, name = count + 1, identifier(given)
            document = item if isinstance(item, Document) else Document(item)
            (title, _), (text, changes) = clean_text(document.title), clean_text(document.text)
            done.update(changes)
            if text or title:
                kept.first(fingerprint(name), 1)
                yield {"_id": name, "title": title, "text": text} if item is document else {"_id": name, "text": text}
            else:
                done["empty-text"] += 1

    write_jsonl(path, records())
    return count


def _known(item: Judgment, documents: Seen, queries: Seen, findings: Findings) -> bool:
    """Whether both ids of a judgment are there; if not, that is told."""
    if queries.get(fingerprint(identifier(item.query))) is None:
        message = say("Query {query} is not among the queries.", query=item.query)
        findings(warning("unknown-query", message, item.where, say("The judgment is left out.")))
        return False
    if documents.get(fingerprint(identifier(item.document))) is None:
        message = say("Document {document} is not in the corpus.", document=item.document)
        findings(warning("unknown-document", message, item.where, say("The judgment is left out.")))
        return False
    return True
