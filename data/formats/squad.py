"""SQuAD and CMRC: questions on paragraphs.

For retrieval the paragraph is the document that answers; a language model learns to answer from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, ClassVar

from tunewiz.data.formats.collections import CollectionFormat
from tunewiz.data.formats.conversations import ChatCells, ConversationFormat
from tunewiz.data.formats.format import Detection, Mapped, Role
from tunewiz.data.reading.cells import Table
from tunewiz.data.reading.records import read
from tunewiz.data.reading.source import Row, Source
from tunewiz.data.rows.conversations import Conversation
from tunewiz.data.rows.examples import Document, Judgment
from tunewiz.language import N_
from tunewiz.problems import Report, Where, note, say, warning

_CONTEXTS = ("context", "context_text")
_CONTEXT_IDS = ("id", "context_id")
_QUESTIONS = ("question", "query_text")
_QUESTION_IDS = ("id", "query_id")
_TITLES = ("title",)


class Squad(CollectionFormat):
    """Articles with paragraphs with questions, nested as in SQuAD 1.1, 2.0 and CMRC 2018."""

    name: ClassVar[str] = "squad"
    title: ClassVar[str] = N_("Reading comprehension (SQuAD)")
    description: ClassVar[str] = N_("Questions on paragraphs; each paragraph is a document that answers its questions.")
    roles: ClassVar[tuple[Role, ...]] = ()

    def detect(self, source: Source, mapping: Mapping[str, str]) -> Detection | None:
        """Rows that hold ``paragraphs`` with ``qas``, or a context with ``qas``."""
        if mapping or source.format not in ("auto", self.name) or source.container not in ("json", "jsonl"):
            return None
        rows = list(islice(read(source, lambda _problem: None), 20))  # an article is a row, and may be a megabyte
        if not any(_paragraphs(row) for row in rows):
            return None
        message = say("Each paragraph is read as a document, each question as a query that it answers.")
        return Detection(self, source, {}, 1.0, (note("squad-as-retrieval", message, source.at()),))

    def splits(self, detection: Detection) -> tuple[str, ...]:
        """Only "all"."""
        return ("all",)

    def documents(self, detection: Detection, report: Report) -> Iterator[tuple[str, Document, Where]]:
        """Each different paragraph, under its own id where it has one."""
        names = _Names()
        for row, paragraph in _each(detection, report):
            text = _text(paragraph, _CONTEXTS)
            name, is_new = names.of(text, _text(paragraph, _CONTEXT_IDS))
            if is_new:
                yield name, Document(text), detection.source.at(row.line)

    def queries(self, detection: Detection, report: Report) -> Iterator[tuple[str, str, Where]]:
        """Each question; one without text is reported and left out."""
        number = 0
        for row, paragraph in _each(detection, report):
            for question in _list(paragraph, "qas"):
                number += 1
                text = _text(question, _QUESTIONS)
                if text:
                    yield _text(question, _QUESTION_IDS) or f"q{number}", text, detection.source.at(row.line)
                else:
                    message = say("A question has no text and is left out.")
                    report(warning("empty-query", message, detection.source.at(row.line)))

    def judgments(self, detection: Detection, split: str, report: Report) -> Iterator[Judgment]:
        """Grade 1 for a question and its paragraph; questions marked as impossible to answer have none."""
        names = _Names()
        number = 0
        for row, paragraph in _each(detection, lambda _problem: None):  # told when the documents are read
            document, _ = names.of(_text(paragraph, _CONTEXTS), _text(paragraph, _CONTEXT_IDS))
            for question in _list(paragraph, "qas"):
                number += 1
                if _text(question, _QUESTIONS) and question.get("is_impossible") is not True:
                    name = _text(question, _QUESTION_IDS) or f"q{number}"
                    yield Judgment(name, document, 1, detection.source.at(row.line))


class Comprehension(ConversationFormat):
    """The same files for a language model: the question and its paragraph ask, the first answer is learned."""

    name: ClassVar[str] = "comprehension"
    title: ClassVar[str] = N_("Reading comprehension, to be answered")
    description: ClassVar[str] = N_("Questions on paragraphs (SQuAD): the model learns to answer from the paragraph.")
    roles: ClassVar[tuple[Role, ...]] = ()

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """Never by columns: see :meth:`takes`."""
        return False

    def takes(self, source: Source, table: Table) -> Detection | None:
        """Rows that hold ``paragraphs`` with ``qas``, or a context with ``qas``."""
        if not any(_paragraphs(row) for row in table.rows):
            return None
        message = say("Each question is asked with its paragraph; its first answer is learned.")
        mapping = {role: (role,) for role in ("prompt", "input", "completion")}
        return Detection(self, source, mapping, 1.0, (note("squad-as-questions", message, source.at()),))

    def rows(self, detection: Detection, report: Report) -> Iterator[Row]:
        """A row for each question that has an answer."""
        return islice(_asked(detection, report), detection.source.limit)

    def conversation(self, cells: ChatCells) -> Conversation | None:
        """The question and its paragraph are the user's turn, the answer the assistant's."""
        return cells.supervised(cells.exchange(("prompt", "input"), "completion"))


def _asked(detection: Detection, report: Report) -> Iterator[Row]:
    for row, paragraph in _each(replace(detection, source=detection.source.altered(limit=None)), report):
        for question in _list(paragraph, "qas"):
            answer = _answer(question)
            if answer and question.get("is_impossible") is not True:
                asked = {"prompt": _text(question, _QUESTIONS), "input": _text(paragraph, _CONTEXTS)}
                yield Row(row.line, asked | {"completion": answer})
            else:
                message = say("A question has no answer and is left out.")
                report(warning("empty-answer", message, detection.source.at(row.line)))


def _answer(question: Mapping[str, Any]) -> str:
    """The first answer; SQuAD and CMRC have objects, some copies of CMRC plain texts."""
    found = question.get("answers") or question.get("answer") or []
    first = found[0] if isinstance(found, list) and found else found
    text = first.get("text") if isinstance(first, dict) else first
    return text.strip() if isinstance(text, str) else ""


class _Names:
    """Ids of paragraphs: their own, or ``p<number>``; equal paragraphs are one document."""

    def __init__(self) -> None:
        self._by_text: dict[int, str] = {}
        self._taken: set[str] = set()

    def of(self, text: str, own: str) -> tuple[str, bool]:
        """The id for a text, and whether it is the first time that it is seen."""
        known = self._by_text.get(hash(text))
        if known is not None:
            return known, False
        name = own if own and own not in self._taken else f"p{len(self._by_text) + 1}"
        self._by_text[hash(text)] = name
        self._taken.add(name)
        return name, True


def _each(detection: Detection, report: Report) -> Iterator[tuple[Row, dict[str, Any]]]:
    """Paragraphs with a text, in file order."""
    for row in read(detection.source, report):
        found = _paragraphs(row)
        if not found:
            message = say("There is no paragraph with questions; the row is left out.")
            report(warning("no-paragraph", message, detection.source.at(row.line)))
        for paragraph in found:
            yield row, paragraph


def _paragraphs(row: Row) -> list[dict[str, Any]]:
    inner = _list(row.values, "paragraphs") or [row.values]
    return [item for item in inner if _text(item, _CONTEXTS) and isinstance(item.get("qas"), list)]


def _list(value: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    found = value.get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _text(value: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    for key in keys:
        found = value.get(key)
        if isinstance(found, (str, int)) and str(found).strip():
            return str(found)
    return ""
