"""The shapes every retrieval dataset is turned into, whatever file it came from.

Training rows are :class:`Group` (a query with its positives and negatives) or :class:`ScoredPair`; evaluation is a
:class:`Collection`, the corpus / queries / qrels of BEIR (Thakur et al., 2021).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Group:
    """One query with the texts that answer it and, where known, texts that do not.

    ``positive_ids`` is parallel to ``positives`` (empty when the source has no document ids); ``negative_scores`` and
    ``positive_scores`` are teacher scores, parallel to their texts or empty. ``line`` counts from 1.
    """

    query: str
    positives: tuple[str, ...]
    negatives: tuple[str, ...] = ()
    positive_scores: tuple[float, ...] = ()
    negative_scores: tuple[float, ...] = ()
    query_id: str = ""
    positive_ids: tuple[str, ...] = ()
    instruction: str = ""
    line: int = 0


@dataclass(frozen=True)
class ScoredPair:
    """Two texts and how similar or relevant they are; ``score`` is in the source's own scale."""

    first: str
    second: str
    score: float
    line: int = 0


@dataclass(frozen=True)
class Document:
    """A passage of the corpus."""

    text: str
    title: str = ""

    @property
    def full(self) -> str:
        """Title and text as one string, the way BEIR's dense models read it."""
        return f"{self.title} {self.text}".strip()


@dataclass(frozen=True)
class Collection:
    """A test collection: documents and queries by id, and graded judgments ``qrels[query][document] = grade``."""

    corpus: Mapping[str, Document] = field(default_factory=dict)
    queries: Mapping[str, str] = field(default_factory=dict)
    qrels: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
