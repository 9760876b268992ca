"""Before and after, paired."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunewiz.backends.evaluate.verdict import VERDICTS, Comparison, compare, compare_all
from tunewiz.problems import say

METRIC = "ndcg@10"


def side(*values: float) -> dict[str, dict[str, float]]:
    return {f"q{place}": {METRIC: value} for place, value in enumerate(values)}


@pytest.mark.parametrize(
    ("gain", "verdict"),
    [(0.1, "WIN"), (0.005, "WIN"), (0.0049, "MARGINAL"), (0.0, "MARGINAL"), (-0.0001, "REGRESSION")],
)
def test_verdicts(gain: float, verdict: str) -> None:
    found = compare(side(0.5, 0.5), side(0.5 + gain, 0.5 + gain), METRIC)
    assert found.verdict == verdict
    assert found.difference == pytest.approx(gain)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.01, 0.05, "UNPROVEN"),
        (-0.05, 0.01, "UNPROVEN"),
        (-0.004, 0.006, "UNPROVEN"),
        (-0.004, 0.004, "MARGINAL"),
        (0.001, 0.007, "MARGINAL"),
        (0.001, 0.02, "WIN"),
        (-0.02, -0.001, "REGRESSION"),
    ],
)
def test_the_interval_decides(low: float, high: float, verdict: str) -> None:
    gain = (low + high) / 2
    found = Comparison(METRIC, 0.5, 0.5 + gain, gain, low, high, wins=60, losses=40, ties=0, queries=100)
    assert found.verdict == verdict
    # What is better by being less is judged by the same interval, turned round.
    turned = replace(found, difference=-gain, low=-high, high=-low, lower_is_better=True)
    assert turned.verdict == verdict
    assert replace(found, queries=1).verdict == "UNPROVEN" and not replace(found, queries=1).certain
    assert (" better" in VERDICTS[verdict].sentence.text("en")) == (verdict == "WIN")


def test_counts_and_means() -> None:
    found = compare(side(0.2, 0.4, 0.6, 0.8), side(0.4, 0.4, 0.5, 1.0), METRIC)
    assert (found.wins, found.losses, found.ties, found.queries) == (2, 1, 1, 4)
    assert (found.before, found.after) == (pytest.approx(0.5), pytest.approx(0.575))
    assert found.low <= found.difference <= found.high


def test_one_query_proves_nothing() -> None:
    found = compare(side(0.0), side(1.0), METRIC)
    assert (found.low, found.high) == (1.0, 1.0)
    assert "measured once" in found.sentence().text("en")


def test_no_change() -> None:
    found = compare(side(0.3, 0.6), side(0.3, 0.6), METRIC)
    assert (found.verdict, found.ties, found.certain) == ("MARGINAL", 2, False)
    assert "none of the queries changed" in found.sentence().text("en")
    assert "none of the rows changed" in found.sentence(say("rows")).text("en")


def test_nothing_in_common() -> None:
    found = compare({"a": {METRIC: 1.0}}, {"b": {METRIC: 1.0}}, METRIC)
    assert found == Comparison(METRIC, 0, 0, 0, 0, 0, wins=0, losses=0, ties=0, queries=0)
    assert (found.verdict, found.certain) == ("NONE", False)
    assert "nothing to compare" in found.sentence().text("en")


def test_only_shared_queries_count() -> None:
    found = compare(side(0.1, 0.9), {"q1": {METRIC: 1.0}}, METRIC)
    assert (found.queries, found.before) == (1, 0.9)


@pytest.mark.parametrize("value", [math.nan, math.inf, None])
def test_what_is_no_number_counts_as_zero(value: float) -> None:
    found = compare(side(0.5, 0.5), {"q0": {METRIC: value}, "q1": {}}, METRIC)
    assert (found.after, found.verdict) == (0.0, "REGRESSION")
    assert all(math.isfinite(bound) for bound in (found.low, found.high))


def test_an_interval_with_zero_says_so() -> None:
    found = compare(side(*[0.0, 1.0] * 10), side(*[1.0, 0.1] * 10), METRIC)
    assert not found.certain
    assert "may be chance" in found.sentence().text("en")
    sure = compare(side(*[0.2, 0.3] * 30), side(*[0.4, 0.6] * 30), METRIC)
    assert sure.certain
    assert "95 % confidence" in sure.sentence().text("en")


def test_a_loss_may_be_certain_too() -> None:
    found = compare(side(*[0.4, 0.6] * 30), side(*[0.2, 0.3] * 30), METRIC)
    assert (found.verdict, found.certain, found.high < 0) == ("REGRESSION", True, True)
    assert "95 % confidence" in found.sentence().text("en")
    few = compare(side(0.5, 0.5, 0.5), side(0.4, 0.5, 0.5), METRIC)
    assert (few.wins, few.losses, few.certain) == (0, 1, False)
    assert "may be chance" in few.sentence().text("en")


def test_of_losses_and_errors_less_is_better() -> None:
    before, after = ({f"q{n}": {"loss": value, METRIC: value} for n in range(40)} for value in (2.0, 1.5))
    found = compare_all(before, after, ["loss", METRIC], lower=["loss"])
    assert [(one.verdict, one.wins, one.losses) for one in found.values()] == [("WIN", 40, 0), ("REGRESSION", 0, 40)]
    assert {one.difference for one in found.values()} == {-0.5}


def test_the_interval_is_as_wide_as_the_normal_one_of_many_queries() -> None:
    gains = np.random.default_rng(5).normal(0.02, 0.2, 400)
    found = compare(side(*np.zeros(400)), side(*gains), METRIC)
    error = gains.std() / 20
    assert (found.low, found.high) == (
        pytest.approx(gains.mean() - 1.96 * error, abs=0.1 * error),
        pytest.approx(gains.mean() + 1.96 * error, abs=0.1 * error),
    )


def test_same_seed_same_interval_whatever_else_is_compared() -> None:
    draw = np.random.default_rng(0)
    before, after = (
        {
            f"q{place}": {METRIC: float(row[0]), "mrr@10": float(row[1])}
            for place, row in enumerate(draw.random((40, 2)))
        }
        for _ in range(2)
    )
    alone = compare(before, after, METRIC, seed=7)
    assert compare(before, after, METRIC, seed=7) == alone
    beside = compare_all(before, after, ["mrr@10", METRIC], seed=7)[METRIC]
    assert (beside.low, beside.high) == pytest.approx((alone.low, alone.high), abs=1e-12)
    assert compare(before, after, METRIC, seed=8).low != alone.low


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    draw = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        gains = draw.normal(0.05, 0.2, 80)
        found = compare(side(*np.zeros(80)), side(*gains), METRIC, samples=500)
        covered += found.low <= 0.05 <= found.high
    assert 180 <= covered <= 199


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30))
def test_bounds_hold(pairs: list[tuple[float, float]]) -> None:
    before, after = (side(*values) for values in zip(*pairs, strict=True))
    found = compare(before, after, METRIC, samples=200)
    assert found.wins + found.losses + found.ties == found.queries == len(pairs)
    gains = [second - first for first, second in pairs]
    assert min(gains) - 1e-9 <= found.low <= found.high <= max(gains) + 1e-9


def test_the_record_holds_the_verdict() -> None:
    record = Comparison(METRIC, 0.1, 0.2, 0.1, 0.05, 0.15, 3, 1, 0, 4).record()
    assert (record["verdict"], record["certain"], record["metric"]) == ("WIN", True, METRIC)
