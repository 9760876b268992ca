"""Finding out what a file is: container, compression, encoding, delimiter, header, columns."""

from __future__ import annotations

from data.dataset import Dataset
from data.source import Container, Row, Source

__all__ = ["Container", "Row", "Source", "discover", "discover_files"]


def discover(dataset: Dataset) -> Source:
    """What ``dataset`` is. ``Source.notes`` tells what was detected and how sure that is.

    Raises :class:`BadData` when there is no such file, it is empty, or no reader knows it.
    """
    raise NotImplementedError


def discover_files(corpus: Dataset, queries: Dataset, qrels: Dataset) -> Source:
    """The three files of a test collection as one source, as if they lay in a BEIR folder."""
    raise NotImplementedError
