"""How long training will take, told before its first step."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunewiz.backends.runs.events import Probed, Progress, Stage
from tunewiz.backends.runs.state import RunState, fold
from tunewiz.backends.stages import foresight
from tunewiz.backends.stages.foresight import Work, epochs, foreseen, guessed, operations, shape_of, work
from tunewiz.backends.training.probe import about
from tunewiz.data.retrieval.prepared import Prepared
from tunewiz.data.rows.examples import Group, ScoredPair
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.presets.yaml.library import load

pytestmark = pytest.mark.usefixtures("in_english")


def reranker(*settings: str) -> RetrievalPreset:
    made = load("reranker/starter", ["launch.device=cpu", "launch.threads=2", "training.precision=fp32", *settings])
    assert isinstance(made, RetrievalPreset)
    return made


GROUPS = [Group(f"question {number}", ("right answer " * 20,), tuple("wrong answer " * 20 for _ in range(9)))
          for number in range(50)]  # fmt: skip
PREPARED = Prepared("groups", groups=GROUPS)


def test_the_real_groups_are_counted() -> None:
    """A list's documents as far as an epoch takes them; of judged pairs every query's, zeros included."""
    preset = reranker("loss=list_net", "data.negatives.per_query=6")
    found = work(preset, PREPARED)
    assert (found.rows, found.texts) == (50, 50 * 7)
    assert found.tokens == 44  # two words and a number, forty words, and the two special tokens
    grades = (2.0, 1.0, 0.0, 0.0, 0.0)
    judged = [ScoredPair(f"question {query}", "an answer", grade) for query in range(30) for grade in grades]
    assert work(preset, Prepared("scored", pairs=judged)).rows == 30
    assert work(preset, Prepared("scored", pairs=judged)).texts == 150
    labelled = reranker("loss=binary_cross_entropy")
    assert work(labelled, Prepared("scored", pairs=judged)).texts == 150


def test_long_texts_count_as_far_as_they_are_read() -> None:
    assert work(reranker("training.max_length=32"), PREPARED).tokens == 32


def test_operations_grow_with_texts_and_more_than_with_their_length() -> None:
    shape = shape_of(reranker(), None)
    assert shape is not None
    once = operations(shape, Work(10, 100, 100.0))
    assert operations(shape, Work(20, 200, 100.0)) == 2 * once
    assert 2 * once < operations(shape, Work(10, 100, 200.0)) < 4 * once
    assert once == pytest.approx(6 * 100 * 100 * shape.matrices, rel=0.1)


def test_steps_or_epochs_say_how_often() -> None:
    assert epochs(reranker("training.epochs=3"), 50) == (3, 3)
    assert epochs(reranker("training.max_steps=25", "training.batch_size=4"), 50) == (2, 2)
    assert epochs(reranker(), 50) == (1, 2)  # a head that begins from nothing is given more


def test_hours_are_told_between_bounds_and_minutes_are_not() -> None:
    few, many = Work(200, 2_000, 100.0), Work(40_000, 400_000, 200.0)
    assert guessed(reranker(), few, None) is None
    told = guessed(reranker(), many, None)
    assert told is not None
    assert told.text() == "training takes 26 hours to 8 days without a GPU (40000 rows, 400000 texts each time)"
    once = guessed(reranker(), many, None, whole=False)
    assert once is not None and once.text().startswith("40000 rows (400000 texts) take 26 hours to 4 days each time")


def test_what_is_prepared_is_told_at_the_speed_of_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    preset = reranker("loss=list_net")
    assert foresight.multiplied_a_second(preset, 64, rounds=2) > 1e6
    monkeypatch.setattr(foresight, "multiplied_a_second", lambda *_: 1e8)
    (problem,) = foreseen(preset, PREPARED, Path(), "cpu")
    assert problem.code == "time-foreseen"
    assert "50 rows" in problem.message.text() and "hours on this processor" in problem.message.text()
    assert list(foreseen(preset, PREPARED, Path(), "cuda")) == []
    monkeypatch.setattr(foresight, "multiplied_a_second", lambda *_: 1e12)
    assert list(foreseen(preset, PREPARED, Path(), "cpu")) == []


def test_what_the_probe_foresaw_is_left_until_steps_tell_better() -> None:
    begun = fold(RunState(), [Stage(name="train", time=100.0)])
    assert begun.remaining is None
    tried = fold(begun, [Probed(peak=1, device="cpu", rows=8, training=7200.0, time=110.0)])
    assert tried.remaining == 7200.0
    stepped = fold(tried, [Progress(stage="train", step=10, total=110, time=200.0)])
    assert stepped.remaining == 1000.0
    assert (
        fold(tried, [Stage(name="train", ended=True, time=300.0), Stage(name="evaluate", time=300.0)]).remaining is None
    )


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (40, "40 s"),
        (1500, "25 minutes"),
        (5399, "90 minutes"),
        (12600, "3.5 hours"),
        (90000, "25 hours"),
        (4e5, "5 days"),
    ],
)
def test_times_that_are_roughly_known(seconds: float, told: str) -> None:
    assert about(seconds).text() == told
