"""What smaller vectors would find: fewer numbers, a byte a number, a bit a number, on the same queries.

A store of a million documents takes 1.5 GB with 384 numbers in fp32, and 48 MB with a bit each. What that costs hangs
on the model and the collection; here it is measured instead of believed. Queries stay as they are: there are few.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tunewiz.backends.evaluate import MetricOptions, metrics
from tunewiz.backends.evaluate.metrics import rank, without_own
from tunewiz.backends.evaluate.verdict import compare

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tunewiz.backends.evaluate.metrics import PerQuery, Qrels
    from tunewiz.backends.models.encoding import Vectors

#: Documents from which on it is left out: a search a form takes minutes, and another copy of the vectors gigabytes.
MOST: Final = 200_000
#: Numbers below which a vector that was not trained for it finds hardly anything.
_FEWEST: Final = 64


@dataclass(frozen=True)
class Searched:
    """A search as it was measured with whole vectors: what of (m, d) documents and (n, d) queries, and how deep."""

    queries: Vectors
    names: Sequence[str]
    documents: Vectors
    groups: Sequence[Sequence[str]]
    own: Mapping[str, frozenset[str]]
    qrels: Qrels
    depth: int


@dataclass(frozen=True)
class Form:
    """How a document is stored: so many ``numbers`` of so many ``bits``."""

    numbers: int
    bits: int

    @property
    def bytes(self) -> int:
        """That one document takes."""
        return -(-self.numbers * self.bits // 8)


def forms(width: int, lengths: Sequence[int] = ()) -> list[Form]:
    """What is measured beside ``width`` numbers of 32 bits, large to small; ``lengths``: those that training went for.

    >>> [(form.numbers, form.bits, form.bytes) for form in forms(384)]
    [(192, 32, 768), (96, 32, 384), (384, 8, 384), (384, 1, 48)]
    """
    shorter = [one for one in lengths if one < width] or [width // 2, width // 4]
    found = [Form(one, 32) for one in shorter if one >= _FEWEST or lengths]
    return sorted([*found, Form(width, 8), Form(width, 1)], key=lambda form: (form.bytes, form.bits), reverse=True)


def measure_smaller(
    searched: Searched, whole: PerQuery, wanted: MetricOptions, lengths: Sequence[int] = ()
) -> list[dict[str, Any]]:
    """The metrics of each form, and its difference to the ``whole`` vectors on the primary one, with its interval."""
    if not len(searched.queries) or len(searched.documents) > MOST:
        return []
    return list(_measured(searched, whole, wanted, lengths))


def _measured(
    searched: Searched, whole: PerQuery, wanted: MetricOptions, lengths: Sequence[int]
) -> Iterator[dict[str, Any]]:
    listed = metrics.metric_names(wanted.cutoffs, wanted.also)
    primary = metrics.canonical(wanted.also[0]) if wanted.also else listed[0]
    reach = searched.depth + max(map(len, searched.own.values()), default=0)
    for form in forms(searched.documents.shape[1], lengths):
        queries, documents = _stored(searched.queries, searched.documents, form)
        found = without_own(
            rank(queries, searched.names, documents, searched.groups, reach), searched.own, searched.depth
        )
        per_query = metrics.per_query(found, searched.qrels, listed)
        compared = compare(whole, per_query, primary, seed=wanted.seed)
        yield {
            "numbers": form.numbers,
            "bits": form.bits,
            "bytes": form.bytes,
            "metrics": dict(metrics.means(per_query)),
            "difference": compared.difference,
            "interval": (compared.low, compared.high),
        }


def _stored(queries: Vectors, documents: Vectors, form: Form) -> tuple[Vectors, Vectors]:
    """The vectors as a store gives them back: of a byte the middle of its step, of a bit its sign."""
    if form.bits == 8:
        low, high = documents.min(axis=0), documents.max(axis=0)
        step = np.maximum((high - low) / 255, np.float32(1e-12))  # as FAISS's scalar quantiser: each number its range
        return queries, (np.rint((documents - low) / step) * step + low).astype(np.float32)
    if form.bits == 1:
        return queries, np.where(documents > 0, np.float32(1), np.float32(-1))
    return _short(queries, form.numbers), _short(documents, form.numbers)


def _short(vectors: Vectors, numbers: int) -> Vectors:
    """The first ``numbers`` of each, made unit vectors again."""
    first = vectors[:, :numbers]
    lengths = np.linalg.norm(first, axis=1, keepdims=True)
    short: Vectors = np.ascontiguousarray(first / np.maximum(lengths, np.float32(1e-12)), np.float32)
    return short
