"""Measures of written answers and of labels."""

from __future__ import annotations

import pytest

from backends.evaluators.answers import closeness, is_chinese, mean_closeness
from backends.evaluators.labels import INVALID, Labelled, label_of

LABELS = ("card arrival", "card", "exchange rate", "退款")


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("card arrival", "card arrival"),
        (" Card Arrival.\n", "card arrival"),
        ("The intent is: exchange rate", "exchange rate"),
        ("exchange rate\nbecause it asks for one", "exchange rate"),
        ("这是关于退款的问题。", "退款"),
        ("「退款」", "退款"),
        ("card arrival is meant", "card arrival"),  # not "card", which is only part of it
        ("card or exchange rate", INVALID),
        ("cardinal", INVALID),
        ("", INVALID),
    ],
)
def test_the_label_an_answer_names(answer: str, label: str) -> None:
    assert label_of(answer, LABELS) == label


def test_metrics_of_labels_equal_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    gold = ("a", "a", "b", "b", "c", "c", "c", "a")
    named = ("a", "b", "b", INVALID, "c", "a", "c", "a")
    found = Labelled(gold, named, ("a", "b", "c", "never"))
    values = found.metrics()
    assert values["accuracy"] == pytest.approx(metrics.accuracy_score(gold, named))
    expected = metrics.f1_score(gold, named, labels=["a", "b", "c"], average="macro")
    assert values["macro_f1"] == pytest.approx(expected)
    assert values["invalid"] == pytest.approx(1 / 8)
    assert found.confusion() == {"a": {"a": 2, "b": 1}, "b": {"b": 1, INVALID: 1}, "c": {"c": 2, "a": 1}, "never": {}}
    assert found.correct() == [1, 0, 1, 0, 1, 0, 1, 1]
    assert found.record()["labels"]["c"]["rows"] == 3


def test_closeness_is_one_for_the_expected_answer_and_less_for_others() -> None:
    pytest.importorskip("sacrebleu")
    pytest.importorskip("rouge_chinese")
    for expected, near, far in [
        ("Use a smaller batch and checkpointing.", "Use a smaller batch.", "The sky is blue today."),
        ("减小批次大小并打开梯度检查点。", "减小批次大小。", "今天天气很好。"),
    ]:
        same = closeness(expected, expected)
        assert same["bleu4"] == pytest.approx(1.0)
        assert same["rougeL"] == pytest.approx(1.0, abs=1e-4)
        assert 0 < closeness(near, expected)["rougeL"] < 1
        assert closeness(far, expected)["bleu4"] < closeness(near, expected)["bleu4"]
        assert closeness("", expected) == {"bleu4": 0.0, "rougeL": 0.0}


def test_means_are_over_the_answers() -> None:
    pytest.importorskip("sacrebleu")
    values = mean_closeness(["one two three four", ""], ["one two three four", "five"])
    assert values["bleu4"] == pytest.approx(0.5)
    assert mean_closeness([], []) == {}


def test_chinese_is_told_from_english() -> None:
    assert is_chinese("请把 batch_size 调小")
    assert not is_chinese("Set the batch size to 8 (批次).")
