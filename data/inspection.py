"""What a dataset is, what is wrong with it, and how long its texts are, in one pass and bounded memory.

:func:`fix` writes a clean copy of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from tunewiz.data.chat.checks import ConversationLook
from tunewiz.data.chat.fixing import fix_conversations
from tunewiz.data.checks.check import MAX_TOKENS, Setting
from tunewiz.data.documents.reading import holds_documents
from tunewiz.data.folders.hub_ids import ABSENT
from tunewiz.data.formats.beir import read_qrels
from tunewiz.data.formats.format import Detection, takes_conversations
from tunewiz.data.formats.raw_text import as_prose, is_ragged
from tunewiz.data.opening.advice import Unmapped
from tunewiz.data.opening.detection import SAMPLE_ROWS
from tunewiz.data.opening.opened import understood
from tunewiz.data.parallel.look import look_through
from tunewiz.data.reading.cells import Table
from tunewiz.data.reading.discovery import discover
from tunewiz.data.reading.records import first_unfolded, read
from tunewiz.data.reading.source import Dataset, Row, Source
from tunewiz.data.retrieval.checks import CollectionChecks
from tunewiz.data.retrieval.fixing import Fixed, fix_collection, fix_rows
from tunewiz.data.retrieval.look import PREVIEWED, ExampleLook
from tunewiz.data.rows.conversations import Conversation
from tunewiz.data.rows.examples import Example
from tunewiz.data.text.language import language_of
from tunewiz.data.text.lengths import Advice, Lengths, LengthSample, TokenCount
from tunewiz.problems import BadData, BadPreset, Finding, Findings, Report, Where, error, note, say


@dataclass(frozen=True)
class Inspection:
    """Everything ``tunewiz data`` tells.

    ``source`` is ``None`` when there is no such file, ``detection`` when no format fits; ``format`` is then empty.
    ``counts`` are, for rows: ``rows`` read and ``examples`` usable; for a test collection: ``documents``, ``queries``,
    and ``judgments:<split>`` and ``queries:<split>``; for language models see :class:`tunewiz.data.chat.checks.Look`.
    ``preview`` holds the first rows, role (or column) to text, ``conversations`` the first of them whole.
    ``examples`` are the rows themselves where only the first were asked for.
    ``advised`` is the mapping (role to column) that was tried on the first rows, where no format fits and cells or
    names tell what asks.
    """

    name: str
    source: Source | None = None
    detection: Detection | None = None
    format: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    preview: tuple[Mapping[str, str], ...] = ()
    lengths: tuple[Lengths, ...] = ()
    advice: Advice | None = None
    findings: tuple[Finding, ...] = ()
    conversations: tuple[Conversation, ...] = ()
    advised: Mapping[str, str] = field(default_factory=dict)
    examples: tuple[Example, ...] = ()

    @property
    def for_llm(self) -> bool:
        """Whether the rows are for a language model."""
        return self.detection is not None and self.detection.format.shape == "conversations"

    @property
    def language(self) -> str:
        """The language of the first rows, see :func:`tunewiz.data.text.language.language_of`."""
        return language_of(text for row in self.preview for text in row.values())

    @property
    def usable(self) -> bool:
        """Whether nothing found would stop a run."""
        return not any(finding.severity == "error" for finding in self.findings)


def inspect(
    dataset: Dataset,
    task: str | None = None,
    count: TokenCount | None = None,
    max_tokens: int = MAX_TOKENS,
    first: int = 0,
) -> Inspection:
    """Look at all of ``dataset``. Never raises :class:`BadData`: what keeps it from being used is an error finding.

    ``task`` narrows the formats (``embedding``, ``reranker``, ``llm``); ``count`` counts tokens exactly; texts for
    retrieval of more than ``max_tokens`` are found too long. With ``first`` only so many rows are read, and kept where
    they are for retrieval; of a test collection then only the layout is looked at.

    >>> found = inspect(Dataset("sample:intents-en"), task="llm")
    >>> found.usable, found.format, [one.code for one in found.findings if one.severity == "error"]
    (True, 'classification', [])
    """
    if first:
        dataset = replace(dataset, limit=min(dataset.limit or first, first))
    found = _looked_through(dataset, task, Setting("", max_tokens, count), first)
    without = not takes_conversations(task) and (found.detection is None or found.for_llm)
    if not without or not holds_documents(dataset.path):
        return found
    findings = Findings()
    message = say("These are documents without questions. A model can write some to train and to measure with.")
    fix = say("tunewiz data {path} --questions 200", path=dataset.path)
    findings(note("documents", message, Where(file=dataset.path), fix))
    return replace(found, findings=(*found.findings, *findings.summary()))


def _looked_through(dataset: Dataset, task: str | None, setting: Setting, first: int) -> Inspection:
    findings = Findings()
    try:
        source = discover(dataset)
    except BadData as fault:
        for problem in fault.problems:  # what is still to be downloaded stops no run: the run does that
            findings(replace(problem, severity="warning") if problem.code == ABSENT else problem)
        return Inspection(dataset.path, findings=findings.summary())
    looking = _Looking(source, findings, LengthSample(setting.count), replace(setting, file=source.name), first)
    try:
        detection, advised = _detected(source, task, findings)
        return replace(looking.at(detection, dataset.path), advised=advised)
    except BadData as fault:
        for problem in fault.problems:
            findings(problem)
        return Inspection(dataset.path, source, findings=findings.summary())


def _detected(source: Source, task: str | None, findings: Findings) -> tuple[Detection | None, Mapping[str, str]]:
    """How the rows are understood; None, and told, if not at all, and what is then advised to be mapped.

    Raises :class:`BadData` for text without rows.
    """
    advised: Mapping[str, str] = {}
    try:
        detection, told = understood(source, task)
    except BadData as refusal:
        if not takes_conversations(task) and as_prose(source, "text") is not None and _runs_on(source):
            message = say("This is running text: no row of it holds a query and a text that answers it.")
            fix = say("Write both into each row of a table.")
            raise BadData(error("running-text", message, source.at(), fix)) from None
        detection, told = None, refusal.problems
        advised = refusal.advised if isinstance(refusal, Unmapped) else {}
    for problem in (*(detection.source if detection else source).notes, *told):
        findings(problem)
    return detection, advised


def _runs_on(source: Source) -> bool:
    """Whether a file named like prose has one column, or now more cells a line and now fewer."""
    rows = list(islice(read(source, lambda _problem: None), SAMPLE_ROWS))
    return len(source.columns) < 2 or is_ragged(Table(source, source.columns, rows))


class _Looking:
    """One pass over a source that was found."""

    def __init__(self, source: Source, findings: Findings, sample: LengthSample, setting: Setting, first: int) -> None:
        self._source = source
        self._findings = findings
        self._sample = sample
        self._setting = setting
        self._first = first
        self._rows = 0
        self._preview: list[Mapping[str, str]] = []

    def at(self, detected: Detection | None, name: str) -> Inspection:
        """The inspection of the source, understood as ``detected``."""
        if detected is not None and detected.format.shape == "collection":
            return self._inspection(detected, name, {}) if self._first else self._collection(detected, name)
        if detected is not None and detected.format.shape == "conversations":
            seen = look_through(
                ConversationLook, detected, self._setting.count, findings=self._findings, alone=self._counting
            )
            look = seen.end(self._findings)
            self._sample = seen.sample
            self._preview += look.preview
            whole = self._inspection(detected, name, look.counts)
            return replace(whole, source=detected.source, conversations=look.conversations, advice=look.advice)
        if detected is None:
            self._raw()
            return self._inspection(detected, name, {"rows": self._rows, "examples": 0})
        found = look_through(
            ExampleLook, detected, self._setting, self._first, findings=self._findings, alone=self._counting
        )
        found.end(self._findings)
        self._preview += found.preview
        self._sample = found.sample
        if not found.usable and not self._findings.errors:
            self._nothing(found.rows)
        whole = self._inspection(detected, name, {"rows": found.rows, "examples": found.usable})
        return replace(whole, examples=tuple(found.first))

    @property
    def _counting(self) -> bool:
        """Whether a tokenizer counts tokens, which is at hand in this process alone."""
        return self._setting.count is not None

    def _read(self, report: Report) -> Iterator[Row]:
        for row in first_unfolded(self._source, read(self._source, report), report):
            self._rows += 1
            yield row

    def _raw(self) -> None:
        """Count the rows, show the first as they are, and look at judgments line by line."""
        if self._source.container == "beir":
            return
        for row in self._read(self._findings):
            if len(self._preview) < PREVIEWED:
                self._preview.append({column: _cell(value) for column, value in row.values.items()})
        if any(finding.code == "part-of-collection" for finding in self._findings.summary()):
            try:
                for _ in read_qrels(self._source, self._findings):
                    pass
            except BadData:  # a corpus or queries, which have nothing more to tell
                return

    def _nothing(self, rows: int) -> None:
        message = say("No row can be used.") if rows else say("There are no rows.")
        self._findings(error("no-usable-rows", message, self._source.at()))

    def _collection(self, detection: Detection, name: str) -> Inspection:
        checks = CollectionChecks(detection, self._setting, self._sample, self._findings)
        facts = checks.run()
        counts = {"documents": facts.documents, "queries": facts.queries}
        counts |= {f"queries:{split}": number for split, number in facts.judged_queries.items()}
        counts |= {f"judgments:{split}": number for split, number in facts.judgments.items()}
        self._preview += facts.preview
        if not sum(facts.judgments.values()):
            message = say("No judgment fits the queries and the corpus.")
            self._findings(error("no-usable-rows", message, self._source.at(), checks.unlike()))
        return self._inspection(detection, name, counts)

    def _inspection(self, detected: Detection | None, name: str, counts: Mapping[str, int]) -> Inspection:
        return Inspection(
            name=name,
            source=self._source,
            detection=detected,
            format=detected.format.name if detected else "",
            counts=counts,
            preview=tuple(self._preview),
            lengths=self._sample.lengths(),
            advice=self._sample.advice(),
            findings=self._findings.summary(),
        )


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def fix(dataset: Dataset, out: Path, task: str | None = None) -> Fixed:
    """Write a clean copy of ``dataset`` to ``out``: UTF-8, a table for ``.csv`` and ``.tsv``, else JSON Lines.

    Rows for language models keep their columns and their markup; a test collection becomes a folder. Never overwrites:
    raises :class:`BadPreset` (``file-exists``) when ``out`` is there, (``no-table``) when the rows do not fit a
    table; :class:`BadData` when nothing can be read.
    """
    if out.exists():
        message = say("It is there already; nothing was written.")
        raise BadPreset(error("file-exists", message, Where(file=str(out)), say("Name a file that does not exist.")))
    findings = Findings()
    source = discover(dataset)
    detection, _ = understood(source, task)
    if detection.format.shape == "conversations":
        return fix_conversations(detection, out, findings)
    if detection.format.shape == "collection":
        return fix_collection(source, detection, out, findings)
    return fix_rows(source, detection, out, findings)
