"""A dataset opened: what it is, which format its rows have, and its examples as a stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

from tunewiz.data.formats.collections import CollectionFormat, collection, groups_from_qrels
from tunewiz.data.formats.conversations import ConversationFormat
from tunewiz.data.formats.format import Detection, RetrievalFormat
from tunewiz.data.opening import detection
from tunewiz.data.reading.discovery import discover, discover_files
from tunewiz.data.reading.source import Dataset, Row, Source
from tunewiz.data.rows.conversations import Conversation
from tunewiz.data.rows.examples import Collection, Example, Group, ScoredPair
from tunewiz.data.text.cleaning import identifier
from tunewiz.files import sha256
from tunewiz.problems import BadData, Problem, Report, error, note, say

#: Splits to measure on, best first, when the user names none.
MEASURED: Final = ("test", "dev", "validation", "val", "valid", "eval")
#: What ``qrels.tsv`` beside a folder of splits holds: all of them.
WHOLE: Final = "all"
#: The confidence of usual names without a rival: with less, rows are not taken to be for language models unasked.
_SURE: Final = 0.9


@dataclass(frozen=True)
class Opened:
    """A source and how its rows are understood."""

    source: Source
    detection: Detection

    @property
    def is_collection(self) -> bool:
        """Whether it has a corpus, queries and judgments rather than rows."""
        return self.detection.format.shape == "collection"

    def rows_file(self, split: str = "") -> str:
        """The file that the lines of examples count in: a collection's judgments of ``split``, else the source."""
        part = self.source.parts.get(f"qrels/{split}")
        return part.name if part else self.source.name

    def files(self) -> dict[str, Path]:
        """Every file it is read from, by the name the user knows it by."""
        return {part.name: part.path for part in (self.source.parts or {"": self.source}).values()}

    def hashes(self) -> dict[str, str]:
        """The SHA-256 of every file."""
        return {name: sha256(path) for name, path in self.files().items() if path.is_file()}


def open_dataset(dataset: Dataset, report: Report, task: str | None = "embedding") -> Opened:
    """Find out what ``dataset`` is; what was detected is reported.

    Raises :class:`BadData` when it is not there, is empty, or no format fits ``task``.
    """
    return _understood(discover(dataset), report, task)


def open_files(corpus: Dataset, queries: Dataset, qrels: Dataset, report: Report) -> Opened:
    """Three files as one test collection."""
    return _understood(discover_files(corpus, queries, qrels), report, "embedding")


def _understood(source: Source, report: Report, task: str | None) -> Opened:
    found = detection.detect(source, task=task)
    for told in (*found.source.notes, *found.problems):
        report(told)
    if task and task not in found.format.tasks:
        told_task = say(
            "The rows are {format}, which is for {tasks}, not for {task}.",
            format=found.format.name,
            tasks=tuple(sorted(found.format.tasks)),
            task=task,
        )
        fix = say("Say which columns are query and positive: --map query=... --map positive=...")
        raise BadData(error("wrong-task", told_task, source.at(), fix))
    return Opened(found.source, found)


def understood(source: Source, task: str | None) -> tuple[Detection, tuple[Problem, ...]]:
    """How the rows of ``source`` are understood, and what to tell of that.

    Without a task, rows that no format for retrieval fits may be for language models, if their columns say so beyond
    doubt. Raises :class:`BadData` if nothing fits.
    """
    try:
        found = detection.detect(source, task=task)
    except BadData as refusal:
        other = _for_llm(source) if task is None else None
        if other is None:
            raise
        # Good data, only not for retrieval.
        lighter = [replace(told, severity="note") for told in refusal.problems if told.code == "llm-layout"]
        return other, (*lighter, *other.problems)
    return found, found.problems


def _for_llm(source: Source) -> Detection | None:
    try:
        found = detection.detect(source, task="llm")
    except BadData:
        return None
    return found if found.confidence >= _SURE or found.format.name == "mixed" else None


def read_examples(data: Opened, report: Report, split: str = "") -> Iterator[Example]:
    """The training examples of ``data``, at most ``limit`` of them; for a collection, those of ``split``."""
    if data.is_collection:
        return islice(groups_from_qrels(data.detection, split, report), data.source.limit)
    return examples_of(data.detection, data.detection.format.rows(data.detection, report), report)


def train_split(data: Opened, wanted: str, report: Report) -> str:
    """The split of a collection to train on: the one wanted, or the only one there is.

    Raises :class:`BadData` (``unknown-split``) when there are several and none is the one.
    """
    names = splits_of(data.detection)
    name = "train" if wanted == "auto" else wanted
    if name in names:
        return name
    parts = [other for other in names if name in other.split(".")]  # T2Ranking's retrieval.train
    if len(parts) == 1:
        return parts[0]
    single = [other for other in names if other != WHOLE] or list(names)
    if len(single) == 1 and name == "train":
        message = say("There is no train split; the only split, {split}, is used.", split=single[0])
        report(note("only-split", message, data.source.at()))
        return single[0]
    raise _unknown_split(data, name, names)


def measured_split(data: Opened, wanted: str, train: str = "") -> str:
    """The split of a collection to measure on; empty if that is left open and only ``train`` is there.

    Raises :class:`BadData` (``unknown-split``) when the wanted one is not there.
    """
    names = splits_of(data.detection)
    if wanted != "auto":
        if wanted not in names:
            raise _unknown_split(data, wanted, names)
        return wanted
    others = [name for name in names if name not in (train, WHOLE)]
    named: list[str] = [name for name in MEASURED if name in others]
    named += [name for wanted in MEASURED for name in others if wanted in name.split(".")]  # dev.small
    return named[0] if named else others[0] if len(others) == 1 else ""


def _unknown_split(data: Opened, name: str, names: tuple[str, ...]) -> BadData:
    message = say("There is no split {split}; there are: {names}.", split=name, names=", ".join(names) or "-")
    return BadData(error("unknown-split", message, data.source.at(), say("Name one of them.")))


def read_collection(data: Opened, split: str, report: Report, told: bool = False) -> Collection:
    """The test collection of ``split``, in memory; queries without a relevant document are left out.

    ``told`` says that the corpus and the queries were read before: what is wrong with them is not told again.
    """
    texts = {data.source.name} | {part.name for role, part in data.source.parts.items() if not role.startswith("qrels")}

    def new(problem: Problem) -> None:
        if not told or problem.where.file not in texts:
            report(problem)

    whole = collection(data.detection, split, new)
    queries: dict[str, str] = {}
    qrels: dict[str, dict[str, int]] = {}
    for name, judged in whole.qrels.items():
        if any(grade > 0 for grade in judged.values()):
            queries[identifier(name)] = whole.queries[name]
            qrels[identifier(name)] = {identifier(document): grade for document, grade in judged.items()}
    return Collection({identifier(name): item for name, item in whole.corpus.items()}, queries, qrels)


def examples_of(detected: Detection, rows: Iterable[Row], report: Report) -> Iterator[Group | ScoredPair]:
    """Records as training examples (for a test collection: :func:`groups_from_qrels`, ``rows`` is not read).

    Rows without a query or without a positive are reported (``empty-query``, ``empty-positive``, warnings) and left
    out; a missing negative is reported (``empty-negative``) and the group comes without it.
    """
    if not isinstance(detected.format, RetrievalFormat):
        raise TypeError(f"{detected.format.name} gives conversations, not examples for retrieval")
    return detected.format.examples(detected, rows, report)


def conversations_of(detected: Detection, report: Report, rows: Iterable[Row] | None = None) -> Iterator[Conversation]:
    """The rows of a format for language models as conversations; rows that give none are reported and left out.

    ``rows`` defaults to all records of the source.
    """
    if not isinstance(detected.format, ConversationFormat):
        raise TypeError(f"{detected.format.name} gives examples for retrieval, not conversations")
    records = detected.format.rows(detected, report) if rows is None else rows
    return detected.format.conversations(detected, records, report)


def splits_of(detected: Detection) -> tuple[str, ...]:
    """Names of the splits of a test collection; empty for other formats."""
    return detected.format.splits(detected) if isinstance(detected.format, CollectionFormat) else ()
