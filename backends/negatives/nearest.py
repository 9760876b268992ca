"""The passages nearest to many queries, looked for in a part of all: exact search of 100,000 among as many is 8 TFLOP.

Passages are put into clusters (spherical k-means; Dhillon and Modha, 2001), and so are queries, by the same centres:
the queries of one centre are compared, in one matrix product, with the passages of the clusters nearest to their mean.
What is found has its exact score; what lies in other clusters is not found, which is why whoever searches like this
compares some queries with exact search and looks at more clusters until both agree.
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
#: Shares of the passages that are looked at, the smallest that suffices; more would cost what exact search does.
SHARES: Final = (1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4)
#: Runs of neighbouring queries that are compared with exact search, and how many queries each.
_RUNS: Final = 64
_RUN: Final = 8


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


class Clusters:
    """``passages`` and ``queries`` (unit vectors, float32) by their nearest centre; ``seed`` draws the first centres.

    Neither is copied.
    """

    def __init__(self, queries: Floats, passages: Floats, seed: int) -> None:
        import numpy as np

        self._queries, self._passages = queries, passages
        centres = _learned(passages, _centres(len(queries), len(passages)), seed)
        self._members, self._starts = _by_centre(passages, centres)
        #: All queries, those of one centre one after another.
        self.order, self._asked = _by_centre(queries, centres)
        self._centre_of = np.empty(len(queries), dtype=np.int64)
        self._centre_of[self.order] = np.repeat(np.arange(len(centres)), np.diff(self._asked))
        self._centres = centres

    def sample(self) -> Integers:
        """Some queries, from all over: of as many centres as there are runs, a few neighbours each."""
        import numpy as np

        count = len(self.order)
        firsts = np.linspace(0, count, min(_RUNS, -(-count // _RUN)), endpoint=False).astype(np.int64)
        places = np.unique(firsts[:, None] + np.arange(_RUN))
        return self.order[places[places < count]]

    def search(self, rows: Integers, depth: int, share: float) -> Ranked:
        """The best ``depth`` passages for the queries ``rows`` in about ``share`` of all; -1 where there are fewer."""
        import numpy as np

        passages = np.full((len(rows), depth), -1, dtype=np.int64)
        scores = np.zeros((len(rows), depth), dtype=np.float32)
        for centre, places in _grouped(self._centre_of[rows]):
            near = self._near(centre, max(depth, int(share * len(self._passages))))
            found = exact(self._queries[rows[places]], self._passages[near], depth)
            width = found.passages.shape[1]
            passages[places, :width], scores[places, :width] = near[found.passages], found.scores
        return Ranked(passages, scores)

    def _near(self, centre: int, count: int) -> Integers:
        """At least ``count`` passages: whole clusters, those nearest to the mean of the queries of ``centre``."""
        import numpy as np

        asked = self._queries[self.order[self._asked[centre] : self._asked[centre + 1]]]
        order = np.argsort(-(self._centres @ asked.mean(axis=0)), kind="stable")
        sizes = np.diff(self._starts)[order]
        chosen = np.sort(order[: int(np.searchsorted(np.cumsum(sizes), count)) + 1])
        return np.concatenate([self._members[self._starts[one] : self._starts[one + 1]] for one in chosen])


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
