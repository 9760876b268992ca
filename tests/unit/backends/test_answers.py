"""Measures of written answers and of labels, labels read out of answers, and verdicts where less is better."""

from __future__ import annotations

import pytest

from tunewiz.backends.evaluate.verdict import compare_all
from tunewiz.backends.language_models.measures import INVALID, closeness, label_scores, named_label
from tunewiz.data.text.language import is_chinese

# Measures of written answers and of labels.


LABELS = ("card arrival", "card", "exchange rate", "退款")


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("card arrival", "card arrival"),
        (" Card Arrival.\n", "card arrival"),
        ("exchange rate\nbecause it asks for one", "exchange rate"),
        ("“退款”", "退款"),
        ("card or exchange rate", INVALID),
        ("cardinal", INVALID),
        ("", INVALID),
    ],
)
def test_the_label_an_answer_is(answer: str, label: str) -> None:
    assert named_label(answer, LABELS) == label


def test_scores_of_labels_equal_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    gold = ("a", "a", "b", "b", "c", "c", "c", "a")
    given = ("a", "b", "b", INVALID, "c", "a", "c", "a")
    found = label_scores(gold, given, ("a", "b", "c", "never"))
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(gold, given))
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(gold, given, labels=["a", "b", "c"], average="macro"))
    assert found["invalid"] == pytest.approx(1 / 8)
    assert found["confusion"] == {"a": {"a": 2, "b": 1}, "b": {INVALID: 1, "b": 1}, "c": {"a": 1, "c": 2}}


def test_closeness_is_one_for_the_expected_answer_and_less_for_others() -> None:
    pytest.importorskip("sacrebleu")
    pytest.importorskip("rouge_chinese")
    for expected, near, far in [
        ("Use a smaller batch and checkpointing.", "Use a smaller batch.", "The sky is blue today."),
        ("减小批次大小并打开梯度检查点。", "减小批次大小。", "今天天气很好。"),
    ]:
        same = closeness(expected, expected)
        assert same["bleu4"] == pytest.approx(1.0)
        assert same["rouge_l"] == pytest.approx(1.0, abs=1e-4)
        assert 0 < closeness(near, expected)["rouge_l"] < 1
        assert closeness(far, expected)["bleu4"] < closeness(near, expected)["bleu4"]
        assert closeness("", expected) == {"bleu4": 0.0, "rouge_l": 0.0}


def test_chinese_is_told_from_english() -> None:
    assert is_chinese("请把 batch_size 调小")
    assert not is_chinese("Set the batch size to 8 (批次).")


# Labels read out of written answers, their scores, and verdicts where less is better.


def test_a_label_is_read_whatever_its_dress() -> None:
    labels = ["card arrival", "Lost card", "退款"]
    assert named_label(' "Card Arrival".\nBecause ...', labels) == "card arrival"
    assert named_label("退款。", labels) == "退款"
    assert named_label("lost", labels) == named_label("", labels) == named_label("I think lost card", labels) == INVALID


def test_classification_scores_count_what_is_right() -> None:
    told = label_scores(["a", "a", "b", "c"], ["a", "b", "b", INVALID], ["a", "b", "c", "never"])
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
