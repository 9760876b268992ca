"""Data formats, one file each, found by file name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from data.examples import Collection, Document, Group, ScoredPair
from data.formats.base import Detection, Format
from data.reading import Report
from data.source import Row, Source

SAMPLE_ROWS = 200


def formats(task: str | None = None) -> dict[str, Format]:
    """Every format by name, or those of one task."""
    raise NotImplementedError


def detect(source: Source, sample: Sequence[Row] | None = None, columns: Mapping[str, str] | None = None) -> Detection:
    """Which format ``source`` has and which column plays which role.

    ``sample`` defaults to the first 200 records, ``columns`` to ``source.mapping``. Raises :class:`BadData`, naming the
    columns and the ``--map role=column`` that would help, rather than guess in silence.
    """
    raise NotImplementedError


def examples(detected: Detection, rows: Iterable[Row], report: Report) -> Iterator[Group | ScoredPair]:
    """Records as training examples (for a test collection: :func:`groups_from_qrels`, ``rows`` is not read).

    Rows without a query or without a positive are reported (``empty-query``, ``empty-positive``, warnings) and left
    out; a missing negative is reported (``empty-negative``) and the group comes without it.
    """
    raise NotImplementedError


def splits(detected: Detection) -> tuple[str, ...]:
    """Names of the splits of a test collection; empty for other formats."""
    raise NotImplementedError


def documents(detected: Detection, report: Report) -> Iterator[tuple[str, Document]]:
    """The corpus as a stream of (id, document); duplicate ids are reported and the first one counts."""
    raise NotImplementedError


def queries(detected: Detection, report: Report) -> Iterator[tuple[str, str]]:
    """The queries as a stream of (id, text)."""
    raise NotImplementedError


def judgments(detected: Detection, split: str, report: Report) -> dict[str, dict[str, int]]:
    """``qrels[query][document] = grade`` of a split, with bad lines reported; ids are not checked."""
    raise NotImplementedError


def collection(detected: Detection, split: str, report: Report) -> Collection:
    """The whole test collection of a split in memory; dangling judgments are reported and left out."""
    raise NotImplementedError


def groups_from_qrels(detected: Detection, split: str, report: Report) -> Iterator[Group]:
    """Judged queries of a split as training groups: documents graded above 0 are positives, 0 and below negatives.

    Only judged documents are held in memory.
    """
    raise NotImplementedError
