"""Data formats, one file each, found by file name."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from inspect import isabstract
from itertools import islice
from typing import Final

from data.examples import Collection, Document, Group, ScoredPair
from data.formats.base import CollectionFormat, Detection, Format
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

    ``sample`` defaults to the first 200 records, ``columns`` to ``source.mapping``; ``task`` narrows the choice. Raises
    :class:`BadData`, naming the columns and the ``--map role=column`` that would help, rather than guess in silence.
    """
    from data.formats.detection import detect_rows

    known = formats(task)
    mapping = source.mapping if columns is None else columns
    for item in known.values():
        if isinstance(item, CollectionFormat):
            found = item.detect(source, mapping)
            if found is not None:
                return found
    rows = list(islice(read(source, lambda _problem: None), SAMPLE_ROWS)) if sample is None else sample
    return detect_rows(source, rows, mapping, known)


def examples(detected: Detection, rows: Iterable[Row], report: Report) -> Iterator[Group | ScoredPair]:
    """Records as training examples (for a test collection: :func:`groups_from_qrels`, ``rows`` is not read).

    Rows without a query or without a positive are reported (``empty-query``, ``empty-positive``, warnings) and left
    out; a missing negative is reported (``empty-negative``) and the group comes without it.
    """
    return detected.format.examples(detected, rows, report)


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
