"""What range the scores of pairs are in, and from where on a pair counts as relevant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

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
    return fractions[0] if fractions and len(fractions) < 0.5 * len(scores) and top < 5 else None
