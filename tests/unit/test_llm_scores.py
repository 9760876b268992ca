"""Labels read out of written answers, their scores, and verdicts where less is better."""

from __future__ import annotations

import pytest

from backends.llama_factory.labels import INVALID, named, scores
from backends.verdict import compare_all


def test_a_label_is_read_whatever_its_dress() -> None:
    labels = ["card arrival", "Lost card", "退款"]
    assert named(' "Card Arrival".\nBecause ...', labels) == "card arrival"
    assert named("退款。", labels) == "退款"
    assert named("lost", labels) == named("", labels) == named("I think lost card", labels) == INVALID


def test_classification_scores_count_what_is_right() -> None:
    told = scores(["a", "a", "b", "c"], ["a", "b", "b", INVALID], ["a", "b", "c", "never"])
    assert told["accuracy"] == 0.5
    assert told["invalid"] == 0.25
    assert told["macro_f1"] == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    assert told["confusion"] == {"a": {"a": 1, "b": 1}, "b": {"b": 1}, "c": {INVALID: 1}}


def test_a_falling_loss_is_a_win() -> None:
    before = {str(place): {"loss": 2.0 + place / 10, "accuracy": 0.0} for place in range(20)}
    after = {str(place): {"loss": 1.5 + place / 10, "accuracy": 1.0} for place in range(20)}
    found = compare_all(before, after, ["loss", "accuracy"], lower={"loss"})
    assert (found["loss"].verdict, found["loss"].wins, found["loss"].losses) == ("WIN", 20, 0)
    assert (found["accuracy"].verdict, found["accuracy"].wins) == ("WIN", 20)
    assert compare_all(after, before, ["loss"], lower={"loss"})["loss"].verdict == "REGRESSION"
