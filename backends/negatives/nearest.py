"""The passages nearest to many queries, looked for in a part of all: exact search of 100,000 among as many is 8 TFLOP.

Passages are put into clusters (spherical k-means; Dhillon and Modha, 2001); each query is compared with those of the
clusters that are nearest to it, all queries that ask for a cluster in one matrix product. What is found has its exact
score; what lies in other clusters is not found, which is why whoever searches like this compares some queries with
exact search and looks at more clusters until both agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from tunewiz.backends.negatives import Ranked

if TYPE_CHECKING:
    from tunewiz.backends.negatives import Floats, Integers

#: Passages a cluster: of the few that answer alike some should have a centre of their own, else a query of theirs is
#: taken for another's. Many centres do better than few that are learned well.
_SIZE: Final = 16
#: What may be spent on comparing all with the centres: this part of exact search.
_SPENT: Final = 10
#: Passages that each centre is learned from, and passes over them.
_LEARNED_FROM: Final = 8
_PASSES: Final = 2
#: Products of a query and a passage below which exact search is a matter of a second.
_FEW: Final = 1 << 26
#: Shares of the passages that are looked at, the smallest that suffices. A sixteenth takes more than half the time of
#: exact search, whose one large product is what processors do best; more would take longer than that.
SHARES: Final = (1 / 64, 1 / 32, 1 / 16)
#: Queries that are compared with exact search.
_SAMPLE: Final = 512
#: Queries searched for at once: what they are compared with takes some ten MB.
_AT_ONCE: Final = 1024


def exact(queries: Floats, passages: Floats, depth: int) -> Ranked:
    """The ``depth`` of ``passages`` with the highest cosine to each of ``queries`` (unit vectors): all are compared."""
    import faiss

    # Not by an index, which would hold all vectors a second time.
    depth = min(depth, len(passages))
    return Ranked(*reversed(faiss.knn(queries, passages, depth, metric=faiss.METRIC_INNER_PRODUCT)))


def pays(queries: int, passages: int, depth: int) -> bool:
    """Whether clusters are worth their making: exact search is a lot, and they are small beside what is looked at."""
    few = queries * passages < _FEW
    return not few and _centres(queries, passages) >= passages**0.5 / 4 and depth <= SHARES[1] * passages


def _centres(queries: int, passages: int) -> int:
    return max(1, min(passages // _SIZE, queries * passages // (_SPENT * (queries + passages))))


def sample(queries: int) -> Integers:
    """The numbers of some queries, from all over."""
    import numpy as np

    return np.unique(np.linspace(0, queries - 1, min(queries, _SAMPLE)).astype(np.int64))


class Clusters:
    """``passages`` (unit vectors, float32; not copied) by their nearest centre, made for as many ``queries``.

    ``seed`` draws the first centres.
    """

    def __init__(self, passages: Floats, queries: int, seed: int) -> None:
        self._passages = passages
        self._centres = _learned(passages, _centres(queries, len(passages)), seed)
        self._members, self._starts = _by_centre(passages, self._centres)

    def search(self, queries: Floats, depth: int, share: float) -> Ranked:
        """The best ``depth`` passages of each query in about ``share`` of all; -1 where there are fewer."""
        import numpy as np

        passages = np.full((len(queries), depth), -1, dtype=np.int64)
        scores = np.zeros((len(queries), depth), dtype=np.float32)
        for start in range(0, len(queries), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            found, values = self._compared(queries[part], max(1, round(share * len(self._centres))))
            width = min(depth, found.shape[1])
            if width < found.shape[1]:
                best = np.argpartition(-values, width - 1, axis=1)[:, :width]
                found, values = np.take_along_axis(found, best, 1), np.take_along_axis(values, best, 1)
            order = np.argsort(-values, axis=1, kind="stable")
            passages[part, :width] = np.take_along_axis(found, order, 1)
            scores[part, :width] = np.take_along_axis(values, order, 1)
        return Ranked(passages, np.where(passages < 0, np.float32(0), scores))

    def _compared(self, queries: Floats, count: int) -> tuple[Integers, Floats]:
        """Of each query the passages of its ``count`` nearest clusters, and scores; -1 and -inf beyond the end."""
        import numpy as np

        near = exact(queries, self._centres, count).passages
        sizes = np.diff(self._starts)[near]
        ends = np.cumsum(sizes, axis=1)
        found = np.full((len(queries), ends[:, -1].max(initial=0)), -1, dtype=np.int32)
        scores = np.full(found.shape, -np.inf, dtype=np.float32)
        firsts = (ends - sizes).ravel()
        for cluster, asked in _grouped(near.ravel()):
            members = self._members[self._starts[cluster] : self._starts[cluster + 1]]
            rows = asked // count
            columns = firsts[asked][:, None] + np.arange(len(members))
            scores[rows[:, None], columns] = queries[rows] @ self._passages[members].T
            found[rows[:, None], columns] = members
        return found, scores


def _learned(vectors: Floats, count: int, seed: int) -> Floats:
    import numpy as np

    draw = np.random.default_rng(seed)
    some = vectors[np.sort(draw.permutation(len(vectors))[: count * _LEARNED_FROM])]
    centres = some[draw.permutation(len(some))[:count]]
    for _ in range(_PASSES):
        members, starts = _by_centre(some, centres)
        held = np.diff(starts) > 0  # a centre that lost all stays where it is
        sums = np.add.reduceat(some[members], starts[:-1][held])
        centres[held] = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return centres


def _by_centre(vectors: Floats, centres: Floats) -> tuple[Integers, Integers]:
    """The numbers of ``vectors``, those of one centre one after another, and where each centre's begin, and the end."""
    import numpy as np

    nearest = exact(vectors, centres, 1).passages[:, 0]
    starts = np.concatenate(([0], np.cumsum(np.bincount(nearest, minlength=len(centres)))))
    return np.argsort(nearest, kind="stable"), starts


def _grouped(values: Integers) -> Iterator[tuple[int, Integers]]:
    """Each of ``values`` with its places."""
    import numpy as np

    order = np.argsort(values, kind="stable")
    firsts = np.flatnonzero(np.diff(values[order], prepend=-1))
    for places in np.split(order, firsts[1:]):
        yield int(values[places[0]]), places
