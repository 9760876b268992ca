"""What training brought: the same queries before and after, paired, with an interval and one word for it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, NamedTuple, Self

from tunewiz.problems import Message, say

QUERIES: Final = say("queries")
ROWS: Final = say("held-out rows")
PerQuery = Mapping[str, Mapping[str, float]]

#: Measures of language models of which less is better.
LOWER_IS_BETTER: Final = frozenset({"loss", "perplexity", "chosen_loss", "liked_loss", "invalid"})


# The verdict: five words, what they say, and how good that is.


Verdict = Literal["WIN", "MARGINAL", "UNPROVEN", "REGRESSION", "NONE"]


class Wording(NamedTuple):
    """A verdict as a sentence, and how good it is: what colour it is shown in."""

    sentence: Message
    tone: Literal["good", "warn", "bad"]


VERDICTS: Final[Mapping[str, Wording]] = {
    "WIN": Wording(say("WIN: the tuned model is better."), "good"),
    "MARGINAL": Wording(say("MARGINAL: hardly any difference."), "warn"),
    "UNPROVEN": Wording(say("UNPROVEN: the change may be chance."), "warn"),
    "REGRESSION": Wording(say("REGRESSION: worse than before."), "bad"),
    "NONE": Wording(say("No verdict: before and after were not both measured."), "warn"),
}


# Before and after compared, query by query.


#: A mean difference from which on training is called a win (sentence-transformers' rule); less is hardly any.
WIN_FROM: Final = 0.005
#: Differences smaller than this are ties: pytrec_eval computes in doubles, printed to fewer digits.
_SAME: Final = 1e-9
_CONFIDENCE: Final = 0.95  # as the sentences of Comparison say
_CELLS: Final = 4_000_000  # queries x samples drawn at once: 32 MB of counts


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
    lower_is_better: bool = False

    @property
    def verdict(self) -> Verdict:
        """What the interval says; of the mean difference alone nothing is said.

        WIN: it lies above zero, and the gain is 0.005 or more. REGRESSION: it lies below zero. MARGINAL: it holds only
        differences below 0.005, or a gain that is less. UNPROVEN: it includes zero and more than that on either side.
        NONE: nothing was compared.
        """
        if not self.queries:
            return "NONE"
        gain = -self.difference if self.lower_is_better else self.difference
        if self.certain:
            return "REGRESSION" if gain < -_SAME else "WIN" if gain >= WIN_FROM - _SAME else "MARGINAL"
        small = self.queries > 1 and max(-self.low, self.high) < WIN_FROM - _SAME
        return "MARGINAL" if small or not (self.wins or self.losses) else "UNPROVEN"

    @property
    def certain(self) -> bool:
        """Whether the interval leaves zero out; of one query alone there is none."""
        return self.queries > 1 and (self.low > 0 or self.high < 0)

    def record(self) -> dict[str, Any]:
        """As JSON, the verdict included."""
        return {**asdict(self), "verdict": self.verdict, "certain": self.certain}

    def sentence(self, of: Message = QUERIES) -> Message:
        """The result in one honest sentence; ``of``: what was measured, in the plural."""
        values = {
            "metric": self.metric,
            "before": f"{self.before:.4f}",
            "after": f"{self.after:.4f}",
            "difference": f"{self.difference:+.4f}",
            "low": f"{self.low:+.4f}",
            "high": f"{self.high:+.4f}",
            "count": self.queries,
            "of": of,
        }
        if not self.queries:
            return say("There was nothing to compare: no {of} were measured both before and after.", of=of)
        if self.queries == 1:
            return say("{metric} went from {before} to {after}, measured once, which proves nothing.", **values)
        if not self.wins and not self.losses:
            return say("{metric} is {before} before and after: none of the {of} changed.", **values)
        if self.certain:
            return say(
                "{metric} went from {before} to {after} ({difference}); with 95 % confidence the change on {of} like "
                "these lies between {low} and {high}.",
                **values,
            )
        return say(
            "{metric} went from {before} to {after} ({difference}), but the 95 % interval from {low} to {high} "
            "includes zero: with {count} {of} this may be chance.",
            **values,
        )


# 10,000 samples: from seed to seed a bound then moves by less than 1 % of the interval's width (standard deviation).
def compare(before: PerQuery, after: PerQuery, metric: str, samples: int = 10_000, seed: int = 42) -> Comparison:
    """:func:`compare_all` for one metric.

    >>> before, after = ({"q1": {"ndcg@10": one}, "q2": {"ndcg@10": other}} for one, other in ((0.2, 0.4), (0.5, 0.5)))
    >>> found = compare(before, after, "ndcg@10")
    >>> found.verdict, round(found.difference, 2), (found.wins, found.losses)
    ('WIN', 0.2, (2, 0))
    """
    return compare_all(before, after, [metric], samples, seed)[metric]


def compare_all(
    before: PerQuery,
    after: PerQuery,
    metrics: Sequence[str],
    samples: int = 10_000,
    seed: int = 42,
    lower: Collection[str] = (),
) -> dict[str, Comparison]:
    """Compare ``metrics`` query by query (``before[query][metric]``); a value that is missing or no number counts as 0.

    Only queries in both are compared. Same seed and values give the same interval, whatever other metrics there are.
    Of the metrics in ``lower`` smaller values are better.
    """
    shared = sorted(before.keys() & after.keys())
    if not shared or not metrics:
        return {metric: Comparison(metric, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0, 0, 0) for metric in metrics}
    first, second = (_table(side, shared, metrics) for side in (before, after))
    differences = second - first
    low, high = _interval(differences, samples, seed)
    compared = {}
    for column, metric in enumerate(metrics):
        signs = (-1, 1) if metric in lower else (1, -1)
        wins, losses = (int((sign * differences[:, column] > _SAME).sum()) for sign in signs)
        compared[metric] = Comparison(
            metric=metric,
            before=float(first[:, column].mean()),
            after=float(second[:, column].mean()),
            difference=float(differences[:, column].mean()),
            low=float(low[column]),
            high=float(high[column]),
            wins=wins,
            losses=losses,
            ties=len(shared) - wins - losses,
            queries=len(shared),
            lower_is_better=metric in lower,
        )
    return compared


@dataclass(frozen=True)
class ShareChoice:
    """The ``share`` of a mixture to take, and the mean of the metric at each on so many validation ``queries``."""

    share: float
    means: Mapping[float, float]
    queries: int

    @classmethod
    def of(cls, found: Mapping[float, Mapping[str, float]], usual: float, safe: float, seed: int) -> Self:
        """By the values of each query at each share.

        The ``usual`` one, unless another is better beyond chance (the paired 95 % interval leaves zero out), or it
        measures worse than the ``safe`` one: then the one that measures best, of equals that nearest to the usual. So
        a gain that only looks like one changes nothing, and a loss that only looks like one is not risked.

        >>> one, other = {"q1": 0.2, "q2": 0.4}, {"q1": 0.3, "q2": 0.4}
        >>> ShareChoice.of({0.0: one, 0.5: other, 1.0: one}, usual=1.0, safe=0.0, seed=42).share
        1.0
        >>> ShareChoice.of({0.0: other, 0.5: one, 1.0: one}, usual=1.0, safe=0.0, seed=42).share
        0.0
        """
        means = {share: _mean(values.values()) for share, values in found.items()}
        best = max(means, key=lambda share: (means[share], -abs(share - usual)))
        if best != usual and means[usual] >= means[safe]:
            sides = [{query: {"value": value} for query, value in found[one].items()} for one in (usual, best)]
            best = best if compare(sides[0], sides[1], "value", seed=seed).certain else usual
        return cls(best, means, len(found[usual]))

    def values(self, metric: str) -> dict[str, str | int | Message]:
        """What a message says of it: ``metric``, ``count`` of queries, and ``shares`` with their means."""
        shares = ", ".join(f"{share:g}: {value:.4f}" for share, value in self.means.items())
        return {"metric": metric, "count": self.queries, "shares": shares}


def _mean(values: Collection[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _table(side: PerQuery, queries: Sequence[str], metrics: Sequence[str]) -> Any:
    """The values of ``side`` as an array (queries, metrics)."""
    import numpy as np

    return np.array([[_number(side[query].get(name)) for name in metrics] for query in queries], np.float64)


def _number(value: float | None) -> float:
    return value if value is not None and math.isfinite(value) else 0.0


def _interval(differences: Any, samples: int, seed: int) -> tuple[Any, Any]:
    """Bounds of the percentile bootstrap interval of the mean of each column of ``differences`` (queries, metrics)."""
    import numpy as np

    draw = np.random.default_rng(seed)
    count = len(differences)
    at_once = max(1, _CELLS // count)
    means = []
    for start in range(0, samples, at_once):
        # How often each query is drawn: one draw serves all metrics.
        times = draw.multinomial(count, np.full(count, 1 / count), min(at_once, samples - start))
        means.append(times @ differences / count)
    tail = (1 - _CONFIDENCE) / 2
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail], axis=0)
    return low, high
