"""Data formats, one file each, found by file name."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from inspect import isabstract
from itertools import islice
from typing import Final

from data.conversations import Conversation
from data.examples import Collection, Document, Group, ScoredPair
from data.formats.base import CollectionFormat, Detection, Format, RetrievalFormat
from data.formats.chat import ConversationFormat
from data.formats.llm_refusals import refuse_collection
from data.problems import BadData
from data.reading import Report, read
from data.source import Row, Source

SAMPLE_ROWS: Final = 200


@cache
def _all() -> Mapping[str, Format]:
    found: dict[str, Format] = {}
    for module in pkgutil.iter_modules(__path__):
        for item in vars(import_module(f"{__name__}.{module.name}")).values():
            if isinstance(item, type) and issubclass(item, Format) and not isabstract(item) and hasattr(item, "name"):
                found[item.name] = item()
    return dict(sorted(found.items()))


def formats(task: str | None = None) -> dict[str, Format]:
    """Every format by name, or those of one task."""
    return {name: item for name, item in _all().items() if task is None or task in item.tasks}


def detect(
    source: Source,
    sample: Sequence[Row] | None = None,
    columns: Mapping[str, str] | None = None,
    task: str | None = None,
) -> Detection:
    """Which format ``source`` has and which column plays which role.

    ``sample`` defaults to the first 200 records, ``columns`` to ``source.mapping``; ``task`` narrows the choice, which
    without one is among the formats for retrieval, and any that ``source.format`` names. Raises :class:`BadData`,
    naming the columns and the ``--map role=column`` that would help, rather than guess in silence.
    """
    from data.formats.detection import detect_rows

    known = _known(source, task)
    mapping = source.mapping if columns is None else columns
    for item in known.values():
        if isinstance(item, CollectionFormat):
            found = item.detect(source, mapping)
            if found is not None:
                return found
    if source.container == "beir":
        raise refuse_collection(source)
    rows = list(islice(read(source, lambda _problem: None), SAMPLE_ROWS)) if sample is None else sample
    try:
        return detect_rows(source, rows, mapping, known)
    except BadData:
        plain = None if mapping else _plain(source, known)
        if plain is None:
            raise
        return plain


def _plain(source: Source, known: Mapping[str, Format]) -> Detection | None:
    """A file without rows, read as running text."""
    for name, item in known.items():
        if isinstance(item, ConversationFormat) and source.format in ("auto", name):
            found = item.plain(source)
            if found is not None:
                return found
    return None


def _known(source: Source, task: str | None) -> dict[str, Format]:
    known = formats(task)
    if task is not None or (source.format in known and known[source.format].shape == "conversations"):
        return known
    return {name: item for name, item in known.items() if item.shape != "conversations"}


def examples(detected: Detection, rows: Iterable[Row], report: Report) -> Iterator[Group | ScoredPair]:
    """Records as training examples (for a test collection: :func:`groups_from_qrels`, ``rows`` is not read).

    Rows without a query or without a positive are reported (``empty-query``, ``empty-positive``, warnings) and left
    out; a missing negative is reported (``empty-negative``) and the group comes without it.
    """
    if not isinstance(detected.format, RetrievalFormat):
        raise TypeError(f"{detected.format.name} gives conversations, not examples for retrieval")
    return detected.format.examples(detected, rows, report)


def conversations(detected: Detection, report: Report, rows: Iterable[Row] | None = None) -> Iterator[Conversation]:
    """The rows of a format for language models as conversations; rows that give none are reported and left out.

    ``rows`` defaults to all records of the source.
    """
    if not isinstance(detected.format, ConversationFormat):
        raise TypeError(f"{detected.format.name} gives examples for retrieval, not conversations")
    records = detected.format.rows(detected, report) if rows is None else rows
    return detected.format.conversations(detected, records, report)


def splits(detected: Detection) -> tuple[str, ...]:
    """Names of the splits of a test collection; empty for other formats."""
    return detected.format.splits(detected) if isinstance(detected.format, CollectionFormat) else ()


def documents(detected: Detection, report: Report) -> Iterator[tuple[str, Document]]:
    """The corpus as a stream of (id, document); duplicate ids are reported and the first one counts."""
    from data.collections import documents

    return documents(detected, report)


def queries(detected: Detection, report: Report) -> Iterator[tuple[str, str]]:
    """The queries as a stream of (id, text); duplicate ids are reported and the first one counts."""
    from data.collections import queries

    return queries(detected, report)


def judgments(detected: Detection, split: str, report: Report) -> dict[str, dict[str, int]]:
    """``qrels[query][document] = grade`` of a split, with bad lines reported; ids are not checked."""
    from data.collections import qrels

    return qrels(detected, split, report)


def collection(detected: Detection, split: str, report: Report) -> Collection:
    """The whole test collection of a split in memory; dangling judgments are reported and left out."""
    from data.collections import collection

    return collection(detected, split, report)


def groups_from_qrels(detected: Detection, split: str, report: Report) -> Iterator[Group]:
    """Judged queries of a split as training groups: documents graded above 0 are positives, 0 and below negatives.

    Only judged documents are held in memory.
    """
    from data.collections import groups_from_qrels

    return groups_from_qrels(detected, split, report)
