"""Trackers: one that fails is told of once and the run goes on; TensorBoard really writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backends import trackers
from backends.runs.events import Noticed, Progress
from backends.trackers.tensorboard import TensorBoard
from tests.children.training_setup import events, groups, new_run, prepared, preset, train


def warnings_of(run: Any) -> list[Any]:
    told = [event.problem for event in events(run) if isinstance(event, Noticed)]
    return [problem for problem in told if problem["code"] == "tracker-failed"]


def test_all_trackers_of_the_schema_have_a_file() -> None:
    assert set(trackers.catalogue()) == {"tensorboard", "wandb", "swanlab", "trackio"}


def test_tensorboard_writes_into_the_run(tiny_encoder: Path, tmp_path: Path) -> None:
    run = new_run(tmp_path)
    train(run, preset(tiny_encoder, tracking={"trackers": ["tensorboard"]}), prepared(groups()))
    assert list((run.directory / "tensorboard").glob("events.out.tfevents*"))
    assert not warnings_of(run)


@pytest.mark.parametrize("moment", ["callback", "on_train_begin", "on_log", "on_train_end"])
def test_a_failing_tracker_never_fails_the_run(
    moment: str, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise ConnectionError("the tracker's server is away")

    class Callback:
        def __getattr__(self, event: str) -> Any:
            return broken if event == moment else lambda *_, **__: None

    monkeypatch.setattr(TensorBoard, "callback", broken if moment == "callback" else lambda *_: Callback())
    run = new_run(tmp_path)
    tuned = train(run, preset(tiny_encoder, tracking={"trackers": ["tensorboard"]}), prepared(groups()))
    assert tuned.is_dir() and [event for event in events(run) if isinstance(event, Progress)]
    told = warnings_of(run)
    assert len(told) == 1
    assert told[0]["severity"] == "warning" and "server is away" in told[0]["message"]


@pytest.mark.parametrize("name", ["wandb", "swanlab", "trackio"])
def test_a_tracker_that_is_not_installed_is_a_warning(name: str, tiny_encoder: Path, tmp_path: Path) -> None:
    if __import__("importlib.util").util.find_spec(trackers.catalogue()[name].package):
        pytest.skip(f"{name} is installed here")
    run = new_run(tmp_path)
    train(run, preset(tiny_encoder, tracking={"trackers": [name]}), prepared(groups()))
    assert [problem["code"] for problem in warnings_of(run)] == ["tracker-failed"]
