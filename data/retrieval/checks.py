"""Checks of a test collection as a stream: documents, queries and judgments against each other.

Only fingerprints of ids and texts are kept, about 25 bytes an id, so that a corpus of millions fits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from tunewiz.data.checks.check import Setting, TextCheck, checks
from tunewiz.data.formats.collections import CollectionFormat, read_judgments, unlike_ids
from tunewiz.data.formats.format import Detection
from tunewiz.data.opening.opened import WHOLE
from tunewiz.data.rows.examples import Judgment
from tunewiz.data.text.duplicates import Seen, fingerprint, normal
from tunewiz.data.text.lengths import LengthSample
from tunewiz.problems import Message, Problem, Where, note, say, warning

Report = Callable[[Problem], None]
_QUERY, _DOCUMENT = "query", "document"
_PREVIEW: Final = 5  # rows shown: what fits on a small terminal beside the findings


@dataclass
class CollectionFacts:
    """What streaming through a collection found: ``judged_queries`` and ``judgments`` by split, first rows to show."""

    documents: int = 0
    queries: int = 0
    judged_queries: dict[str, int] = field(default_factory=dict)
    judgments: dict[str, int] = field(default_factory=dict)
    grades: Counter[int] = field(default_factory=Counter)
    preview: list[dict[str, str]] = field(default_factory=list)


class CollectionChecks:
    """One pass over corpus, queries and judgments of all splits."""

    def __init__(self, detection: Detection, setting: Setting, sample: LengthSample, report: Report) -> None:
        assert isinstance(detection.format, CollectionFormat)
        self._format = detection.format
        self._detection = detection
        self._setting = setting
        self._sample = sample
        self._report = report
        self._text_checks = [check(setting) for check in checks() if issubclass(check, TextCheck)]
        self._documents = Seen()
        self._texts = Seen()
        self._queries = Seen()
        self._odd: dict[str, str] = {}  # by part, the first id that judgments name and it has not
        self._first: dict[str, str] = {}  # and the first that it has
        self.facts = CollectionFacts()

    def run(self) -> CollectionFacts:
        """Look at everything; findings go to ``report``."""
        self._look_at_documents()
        self._look_at_queries()
        self._look_at_judgments()
        return self.facts

    def _look_at_documents(self) -> None:
        texts = self._texts
        for name, document, where in self._format.documents(self._detection, self._report):
            if self._documents.first(fingerprint(name), where.line) is not None:
                message = say("The id {id} is there twice; the first one counts.", id=name)
                self._report(warning("duplicate-id", message, where))
                continue
            self.facts.documents += 1
            self._first.setdefault(_DOCUMENT, name)
            self._sample.add("document", document.full)
            self._judge("document", document.full, where)
            earlier = texts.first(fingerprint(normal(document.full)), where.line) if document.full.strip() else None
            if earlier is not None:
                message = say("The same text as the document in line {line}.", line=earlier)
                fix = say("Two copies compete for one rank; judge both, or keep one.")
                self._report(warning("duplicate-document", message, where, fix))

    def _look_at_queries(self) -> None:
        texts = Seen()
        own = 0
        for name, text, where in self._format.queries(self._detection, self._report):
            if self._queries.first(fingerprint(name), where.line) is not None:
                message = say("The id {id} is there twice; the first one counts.", id=name)
                self._report(warning("duplicate-id", message, where))
                continue
            self.facts.queries += 1
            self._first.setdefault(_QUERY, name)
            self._sample.add("query", text)
            self._judge("query", text, where)
            if len(self.facts.preview) < _PREVIEW:
                self.facts.preview.append({"id": name, "query": text})
            own += self._texts.get(fingerprint(normal(text))) is not None
            earlier = texts.first(fingerprint(normal(text)), where.line)
            if earlier is not None:
                message = say("The same text as the query in line {line}.", line=earlier)
                self._report(warning("duplicate-query", message, where, say("Give it one id and all its judgments.")))
        if own:
            message = say("{count} queries are documents themselves; no query finds its own, as in BEIR.", count=own)
            self._report(note("own-documents", message, self._detection.source.at()))

    def _judge(self, role: str, text: str, where: Where) -> None:
        for check in self._text_checks:
            for problem in check.judge([(role, text)], where):
                self._report(problem)

    def _look_at_judgments(self) -> None:
        """Dangling ids, queries that nothing answers, what no judgment names, and queries on two sides."""
        used_documents, used_queries, trained = Seen(), Seen(), Seen()
        names = self._format.splits(self._detection)
        parts = [name for name in names if name != WHOLE] or list(names)
        for split in sorted(parts, key=lambda name: name != "train"):  # train first: the others may leak from it
            best: dict[str, tuple[int, Where]] = {}
            judgments = 0
            for item in self._known(read_judgments(self._detection, split, self._report)):
                judgments += 1
                self.facts.grades[item.grade] += 1
                used_documents.first(fingerprint(item.document), 1)
                used_queries.first(fingerprint(item.query), 1)
                best[item.query] = max(
                    (item.grade, item.where), best.get(item.query, (item.grade, item.where)), key=_grade
                )
            self.facts.judgments[split] = judgments
            self.facts.judged_queries[split] = len(best)
            self._look_at_split(split, best, trained)
        self._look_at_rest(used_documents, used_queries)

    def _known(self, judgments: Iterator[Judgment]) -> Iterator[Judgment]:
        for item in judgments:
            if self._queries.get(fingerprint(item.query)) is None:
                self._odd.setdefault(_QUERY, item.query)
                message = say("Query {query} is not among the queries.", query=item.query)
                self._report(warning("unknown-query", message, item.where, say("The judgment is left out.")))
            elif self._documents.get(fingerprint(item.document)) is None:
                self._odd.setdefault(_DOCUMENT, item.document)
                message = say("Document {document} is not in the corpus.", document=item.document)
                self._report(warning("unknown-document", message, item.where, say("The judgment is left out.")))
            else:
                yield item

    def unlike(self) -> Message | None:
        """What differs between the ids, where no judgment fits."""
        part = next(iter(self._odd), "")
        return unlike_ids(self._odd.get(part, ""), self._first.get(part, ""))

    def _look_at_split(self, split: str, best: dict[str, tuple[int, Where]], trained: Seen) -> None:
        for query, (grade, where) in best.items():
            if grade <= 0:
                message = say("Query {query} has judgments and none that is positive.", query=query)
                self._report(warning("judged-only-negative", message, where, say("It is left out of the measures.")))
            if split == "train":
                trained.first(fingerprint(query), 1)
            elif trained.get(fingerprint(query)) is not None:
                message = say("Query {query} is in train and in {split}.", query=query, split=split)
                self._report(warning("leak-query", message, where, say("Keep it in one of them.")))

    def _look_at_rest(self, documents: Seen, queries: Seen) -> None:
        for name, _, where in self._format.queries(self._detection, _quiet):
            if queries.get(fingerprint(name)) is None:
                message = say("Query {query} has no judgment.", query=name)
                self._report(warning("query-without-judgments", message, where, say("It is left out.")))
        unused = self.facts.documents - len(documents)
        if unused:
            message = say(
                "{count} of {total} documents are named by no judgment.", count=unused, total=self.facts.documents
            )
            self._report(
                note(
                    "unused-documents", message, self._detection.source.at(), say("They are searched like the others.")
                )
            )


def _quiet(_problem: Problem) -> None:
    """What is wrong with the queries was told in the first pass."""


def _grade(item: tuple[int, Where]) -> int:
    return item[0]
