"""Runs of a sweep with ranges: within them, seeded, by what was measured, from what stands in the runs alone."""

from __future__ import annotations

import math
from importlib.util import find_spec
from pathlib import Path

import pytest

from tunewiz.backends import readiness
from tunewiz.backends.runs.events import Evaluated, Finished, Started
from tunewiz.backends.runs.run import Run
from tunewiz.backends.stages.trials import next_point, points_of
from tunewiz.files import write_json
from tunewiz.presets.preset import Preset
from tunewiz.presets.sweeping import Point, many, points, setting
from tunewiz.presets.yaml.library import dumps, loads
from tunewiz.problems import BadPreset

YAML = """name: tiny
task: embedding
model: {id: starter}
data: {train: 'sample:faq'}
loss: multiple_negatives_ranking
sweep: {training.learning_rate: {low: 1e-6, high: 1e-2, log: true}, training.epochs: 1..3, training.batch_size: [8, 16]}
sweep_trials: 12
"""
needs_optuna = pytest.mark.skipif(find_spec("optuna") is None, reason="needs optuna")


def test_a_range_is_read_however_it_is_written() -> None:
    swept = loads(YAML)
    assert loads(dumps(swept)) == swept
    rate = swept.sweep["training.learning_rate"]
    plain = YAML.split("sweep:")[0]
    for text in ("1e-6..1e-2 log", "{low: 1e-6, high: 1e-2, log: true}"):
        typed = loads(plain, "", [*setting([f"training.learning_rate={text}"]), "sweep_trials=3"])
        assert typed.sweep == {"training.learning_rate": rate}
        assert many(typed) == 3
    assert loads(plain, "", ["sweep=training.learning_rate=1e-6..1e-2 log"]).sweep == {"training.learning_rate": rate}


@pytest.mark.usefixtures("in_english")
@pytest.mark.parametrize(
    ("sweep", "key", "told"),
    [
        ("{training.learning_rate: {low: 1e-4, high: 1e-5}}", "sweep.training.learning_rate", "smaller to a larger"),
        ("{training.learning_rate: {low: 0, high: 1e-5, log: true}}", "sweep.training.learning_rate", "magnitude"),
        ("{training.learning_rate: {low: a, high: 1e-5}}", "sweep.training.learning_rate.low", '"a" does not fit'),
        ("{training: {learning_rate: {low: 1}}}", "sweep.training.learning_rate.high", "missing"),
        ("{training.learning_rate: {low: 1e-5, hihg: 1}}", "sweep.training.learning_rate.hihg", "no key hihg"),
        ("{training.epochs: {low: 0, high: 3}}", "sweep.training.epochs", "Point training.epochs=0"),
    ],
)
def test_a_wrong_range_is_told_with_its_key(sweep: str, key: str, told: str) -> None:
    with pytest.raises(BadPreset) as caught:
        points(loads(f"{YAML.split('sweep:')[0]}sweep: {sweep}\nsweep_trials: 4\n"))
    assert any(one.where.key == key and told in one.message.text() for one in caught.value.problems), [
        one.line() for one in caught.value.problems
    ]


@pytest.mark.usefixtures("in_english")
def test_a_range_without_a_number_of_runs_or_without_optuna_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = loads(YAML, "", ["sweep_trials=0"])
    assert [one.code for one in readiness.sweep_problems(endless, ())] == ["sweep-endless"]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "optuna" else find_spec(name))
    (missing,) = [one for one in readiness.sweep_problems(loads(YAML), ()) if one.code == "packages-missing"]
    assert missing.fix is not None
    assert "pip install 'tunewiz[sweep]'" in missing.fix.text()


def ended(run: Run, point: Point) -> None:
    """As if the run of ``point`` had been trained: best where the learning rate is 1e-4."""
    inner = Run(run.directory / "variants" / point.name)
    value = 1 - abs(math.log10(point.values["training.learning_rate"]) + 4) / 4
    begun = Started(name=point.name, task="embedding", backend="b", model="m", pid=1)
    for event in (begun, Evaluated(when="during", what="validation", metrics={"ndcg@10": value}, step=1), Finished()):
        inner.emit(event)
    write_json(inner.report / "metrics.json", {"primary": "ndcg@10", "after": {"ndcg@10": value}})


def gone_through(folder: Path, swept: Preset, stop_after: int = 99) -> list[Point]:
    run = Run(folder)
    run.directory.mkdir(exist_ok=True)
    while len(points_of(run, swept)) < stop_after and (point := next_point(run, swept, ())):
        ended(run, point)
    return points_of(run, swept)


@needs_optuna
def test_points_are_seeded_within_the_range_and_go_where_it_is_better(tmp_path: Path) -> None:
    swept = loads(YAML)
    found = gone_through(tmp_path / "one", swept)
    assert len(found) == 12
    assert [one.name.partition("-")[0] for one in found] == [f"{number:02d}" for number in range(1, 13)]
    rates = [one.values["training.learning_rate"] for one in found]
    assert all(1e-6 <= rate <= 1e-2 for rate in rates)
    assert {one.values["training.epochs"] for one in found} <= {1, 2, 3}
    assert all(one.preset.training.batch_size == one.values["training.batch_size"] for one in found)
    off = [abs(math.log10(rate) + 4) for rate in rates]
    assert sum(off[6:]) / 6 < 1.0, "at random it would be 1 order of magnitude"
    assert gone_through(tmp_path / "again", swept) == found
    assert gone_through(tmp_path / "other", loads(YAML, "", ["training.seed=7"])) != found


@needs_optuna
def test_a_sweep_that_was_left_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    swept = loads(YAML)
    whole = gone_through(tmp_path / "whole", swept)
    gone_through(tmp_path / "left", swept, stop_after=5)
    assert gone_through(tmp_path / "left", swept) == whole


@needs_optuna
def test_nothing_is_tried_twice(tmp_path: Path) -> None:
    few = loads(YAML.split("sweep:")[0] + "sweep: {training.epochs: 1..3}\nsweep_trials: 9\n")
    run = Run(tmp_path / "few")
    run.directory.mkdir()
    values = []
    while point := next_point(run, few, values):
        values.append(point.name)
    assert sorted(one.values["training.epochs"] for one in points_of(run, few)) == [1, 2, 3]
