"""Making a noisy curve readable."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

SPAN: Final = 0.03  # share of the points that one smoothed value looks back on


def smooth(values: Sequence[float], span: float = SPAN) -> tuple[float, ...]:
    """The exponential moving average of ``values``, same length; values that are not finite are passed over.

    The weight of the past doubles whenever the number of points does, so that a curve looks alike at any length and
    what was drawn mostly stays as it was. The start is not drawn towards zero: sums of weights are divided out
    (Kingma & Ba, Adam, 2015, section 3).
    """
    points = 1 << max(1, len(values)).bit_length()
    decay = 1 - 2 / (max(2.0, points * span) + 1)  # an average over n points has a weight of 2 / (n + 1) for the newest
    total = weight = 0.0
    result = []
    for value in values:
        if math.isfinite(value):
            total = decay * total + (1 - decay) * value
            weight = decay * weight + (1 - decay)
        result.append(total / weight if weight else value)
    return tuple(result)
