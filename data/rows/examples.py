"""The shapes every retrieval dataset is turned into, whatever file it came from.

Training rows are :class:`Group` (a query with its positives and negatives) or :class:`ScoredPair`, whose scores are
in some :class:`Scale`; evaluation is a :class:`Collection`, the corpus / queries / qrels of BEIR (Thakur et al., 2021).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tunewiz.language import N_
from tunewiz.problems import Where


@dataclass(frozen=True)
class Group:
    """One query with the texts that answer it and, where known, texts that do not.

    ``positive_ids`` is parallel to ``positives`` (empty when the source has no document ids); ``negative_scores`` and
    ``positive_scores`` are teacher scores, parallel to their texts or empty. ``line`` counts from 1, in ``source``
    where there are several datasets.
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
    source: str = ""


def plain_group(query: str, positive: str, line: int) -> Group:
    """``Group(query, (positive,), line=line)``, made in a fifth of the time: of a million rows each microsecond counts.

    What is not set here is read from the class, where a dataclass has its defaults.
    """
    group = Group.__new__(Group)
    group.__dict__.update(query=query, positives=(positive,), line=line)
    return group


@dataclass(frozen=True)
class ScoredPair:
    """Two texts and how similar or relevant they are; ``score`` is in the source's own scale."""

    first: str
    second: str
    score: float
    line: int = 0
    source: str = ""


Example = Group | ScoredPair


def texts_of_example(example: Example) -> Iterator[tuple[str, str]]:
    """Role and text of everything in ``example`` that a model reads."""
    if isinstance(example, ScoredPair):
        yield "first", example.first
        yield "second", example.second
        return
    yield "query", example.query
    for positive in example.positives:
        yield "positive", positive
    for negative in example.negatives:
        yield "negative", negative


def all_texts(example: Example) -> tuple[str, ...]:
    """The texts of :func:`texts_of_example` alone."""
    if isinstance(example, ScoredPair):
        return example.first, example.second
    if example.negatives:
        return (example.query, *example.positives, *example.negatives)
    return (example.query, *example.positives)


def query_of(example: Example) -> str:
    """The text that is searched with: the query, or the first text of a pair."""
    return example.first if isinstance(example, ScoredPair) else example.query


# The parts texts play, in words.


ROLES: Final = {
    "query": N_("query"),
    "positive": N_("positive"),
    "negative": N_("negative"),
    "first": N_("first text"),
    "second": N_("second text"),
    "document": N_("document"),
    "conversation": N_("conversation"),
    "system": N_("system prompt"),
    "question": N_("question"),
    "answer": N_("answer"),
    "chosen": N_("chosen answer"),
    "rejected": N_("rejected answer"),
    "judgment": N_("good"),
    "text": N_("text"),
    "label": N_("label"),
}


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


@dataclass(frozen=True)
class Judgment:
    """How relevant a document is to a query, and where that is written."""

    query: str
    document: str
    grade: int
    where: Where


# What range the scores of pairs are in, and from where on a pair counts as relevant.


#: Tops of usual scales: similarities, graded judgments (TREC 0 to 2 and 0 to 3, 0 to 4), STS (0 to 5), marks, percent.
_TOPS: Final = (1.0, 2.0, 3.0, 4.0, 5.0, 10.0, 100.0)


@dataclass(frozen=True)
class Scale:
    """``low`` and ``high`` as found; ``floor`` and ``top`` of the scale they belong to.

    ``odd`` is the index of the first score that fits no scale together with the others, if there is one.
    """

    low: float
    high: float
    floor: float
    top: float
    odd: int | None = None

    @property
    def middle(self) -> float:
        """From here on a pair counts as relevant: grade 1 of 0 to 3 or less, else half-way up the scale."""
        # As trec_eval counts: relevant from grade 1 on.
        if self.floor == 0 and self.top in (2.0, 3.0):
            return 1.0
        return (self.floor + self.top) / 2


def scale_of(scores: Sequence[float]) -> Scale:
    """The scale of ``scores`` (at least one).

    0 to 1 and -1 to 1 are similarities; whole numbers from 0 to 2, 3, 4, 5, 10 or 100 are grades, and so are fractions
    between them from 5 up (averages of annotators).
    """
    low, high = min(scores), max(scores)
    floor = 0.0 if low >= 0 else -1.0 if low >= -1 else low
    top = next((top for top in _TOPS if high <= top), high)
    return Scale(low, high, floor, top, _odd(scores, low, top))


def _odd(scores: Sequence[float], low: float, top: float) -> int | None:
    """A negative among grades, or a fraction among the whole numbers of a small scale."""
    if top <= 1:
        return next((index for index, score in enumerate(scores) if score < -1), None)
    if low < 0:
        return next(index for index, score in enumerate(scores) if score < 0)
    fractions = [index for index, score in enumerate(scores) if score != int(score)]
    # Where most scores are fractions they are means of several annotators; a few among whole numbers are a mistake.
    return fractions[0] if fractions and len(fractions) < 0.5 * len(scores) and top < 5 else None
