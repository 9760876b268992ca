"""What training brought: the same queries before and after, paired, with an interval and one word for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from data.problems import Message, say

Verdict = Literal["WIN", "MARGINAL", "REGRESSION", "NONE"]

#: A mean difference from which on training is called a win (sentence-transformers' rule).
WIN_FROM: Final = 0.005
#: Differences smaller than this are ties: pytrec_eval computes in doubles, printed to fewer digits.
_SAME: Final = 1e-9
_CONFIDENCE: Final = 0.95
_CELLS: Final = 4_000_000  # queries x samples drawn at once: 32 MB of indices


@dataclass(frozen=True)
class Comparison:
    """One metric before and after, on the ``queries`` queries that both have.

    ``low`` and ``high`` bound the mean difference: the 95 % percentile bootstrap over queries (Efron, 1979). With one
    query both are that query's difference.
    """

    metric: str
    before: float
    after: float
    difference: float
    low: float
    high: float
    wins: int
    losses: int
    ties: int
    queries: int

    @property
    def verdict(self) -> Verdict:
        """WIN from +0.005 on, MARGINAL from 0 on, REGRESSION below, NONE without queries."""
        if not self.queries:
            return "NONE"
        if self.difference >= WIN_FROM - _SAME:
            return "WIN"
        return "MARGINAL" if self.difference >= -_SAME else "REGRESSION"

    @property
    def certain(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0

    def record(self) -> dict[str, Any]:
        """As JSON, the verdict included."""
        return {**asdict(self), "verdict": self.verdict, "certain": self.certain}

    def sentence(self) -> Message:
        """The result in one honest sentence."""
        values = {
            "metric": self.metric,
            "before": f"{self.before:.4f}",
            "after": f"{self.after:.4f}",
            "difference": f"{self.difference:+.4f}",
            "low": f"{self.low:+.4f}",
            "high": f"{self.high:+.4f}",
            "queries": self.queries,
        }
        if not self.queries:
            return say("There was nothing to compare: no query was measured both before and after.")
        if self.queries == 1:
            return say("{metric} went from {before} to {after} on a single query, which proves nothing.", **values)
        if not self.wins and not self.losses:
            return say("{metric} is {before} before and after: no query changed.", **values)
        if self.certain:
            return say(
                "{metric} went from {before} to {after} ({difference}); with 95 % confidence the change on queries "
                "like these lies between {low} and {high}.",
                **values,
            )
        return say(
            "{metric} went from {before} to {after} ({difference}), but the 95 % interval from {low} to {high} "
            "includes zero: with {queries} queries this may be chance.",
            **values,
        )


def compare(
    before: Mapping[str, Mapping[str, float]],
    after: Mapping[str, Mapping[str, float]],
    metric: str,
    samples: int = 10_000,
    seed: int = 42,
) -> Comparison:
    """Compare ``metric`` query by query (``before[query][metric]``); values that are no numbers count as 0.

    Only queries in both are compared. Same seed and values give the same interval.
    """
    import numpy as np

    shared = sorted(before.keys() & after.keys())
    if not shared:
        return Comparison(metric, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0, 0, 0)
    pairs = np.array([[before[query].get(metric, 0.0), after[query].get(metric, 0.0)] for query in shared], np.float64)
    pairs = np.nan_to_num(pairs, nan=0.0, posinf=0.0, neginf=0.0)
    differences = pairs[:, 1] - pairs[:, 0]
    low, high = _interval(differences, samples, seed)
    wins, losses = int((differences > _SAME).sum()), int((differences < -_SAME).sum())
    return Comparison(
        metric=metric,
        before=float(pairs[:, 0].mean()),
        after=float(pairs[:, 1].mean()),
        difference=float(differences.mean()),
        low=low,
        high=high,
        wins=wins,
        losses=losses,
        ties=len(shared) - wins - losses,
        queries=len(shared),
    )


def _interval(differences: Any, samples: int, seed: int) -> tuple[float, float]:
    """The percentile bootstrap interval of the mean."""
    import numpy as np

    draw = np.random.default_rng(seed)
    count = len(differences)
    at_once = max(1, _CELLS // count)
    means = np.concatenate(
        [
            differences[draw.integers(0, count, (min(at_once, samples - start), count))].mean(axis=1)
            for start in range(0, samples, at_once)
        ]
    )
    tail = (1 - _CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)
