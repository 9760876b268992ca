"""Any other passages: easy negatives, at no cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from backends.negatives.base import Ranked, Strategy

if TYPE_CHECKING:
    from backends.negatives.base import Floats, Integers

#: Passages drawn per query and wanted candidate are distinct; more than this many are never needed.
_MOST = 256


class Random(Strategy):
    """Draws without replacement for each query."""

    name: ClassVar[str] = "random"
    _size = 0

    def index(self, passages: Sequence[str]) -> None:
        """Only their number counts."""
        self._size = len(passages)

    def search(self, queries: Sequence[str], depth: int) -> Ranked:
        """``depth`` (at most 256) different passages each, drawn by the seed; their scores mean nothing."""
        import numpy as np

        draw = np.random.default_rng(self.surroundings.seed)
        depth = min(depth, self._size, _MOST)
        if self._size <= 4 * depth:
            chosen = np.argsort(draw.random((len(queries), self._size)), axis=1)[:, :depth]
        else:
            chosen = _distinct(draw.integers(0, self._size, (len(queries), 2 * depth)), depth)
        return Ranked(chosen.astype(np.int64), np.zeros(chosen.shape, dtype=np.float32), comparable=False)

    def scores(self, rows: Integers, passages: Integers) -> Floats:
        """All alike."""
        import numpy as np

        return np.zeros(len(rows), dtype=np.float32)


def _distinct(drawn: Integers, depth: int) -> Integers:
    """The first ``depth`` different numbers of each row of ``drawn``; -1 where there are fewer."""
    import numpy as np

    order = np.argsort(drawn, axis=1, kind="stable")
    ordered = np.take_along_axis(drawn, order, axis=1)
    repeated = np.zeros(drawn.shape, dtype=bool)
    np.put_along_axis(repeated, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], axis=1)
    first = np.argsort(repeated, axis=1, kind="stable")[:, :depth]
    kept = np.take_along_axis(drawn, first, axis=1)
    kept[np.take_along_axis(repeated, first, axis=1)] = -1
    return kept
