"""Sixteen processes of one training, with a tiny model on the CPU: what two show, and what only many would."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from tests.children.test_ranks import STEPS, alone, begun, family, in_processes, kill_rank, losses, still_encoder, train
from tests.children.training_setup import events, groups, prepared, preset
from tunewiz.backends.runs.checkpoints import choose
from tunewiz.backends.runs.run import Run, StopRequested
from tunewiz.problems import TunewizError

__all__ = ["still_encoder"]  # a fixture

pytestmark = [pytest.mark.torture, pytest.mark.timeout(3 * 3600)]
MANY = 16


def stop_after_a_step(run: Run, training: threading.Thread) -> None:
    """Ask for a stop once a step is told: before the first there is nothing to save."""
    while not (run.events_file.is_file() and losses(run)):
        time.sleep(0.1)
        assert training.is_alive(), run.events_file.read_text("utf-8")[-2000:]
    run.stop_file.touch()


def test_sixteen_stop_learn_what_one_does_and_fall_together(still_encoder: Path, tmp_path: Path) -> None:
    wanted = preset(still_encoder, training={**STEPS, "batch_size": MANY})
    many, rows = in_processes(wanted, MANY), prepared(groups())
    one = begun(tmp_path, "one", wanted, rows)
    alone(one, wanted, until=1)

    run = begun(tmp_path, "many", many, rows)
    stopped = train(run, many, lambda training: stop_after_a_step(run, training))
    assert isinstance(stopped, StopRequested), run.events_file.read_text("utf-8")[-2000:]
    saved = choose(run.checkpoints)
    assert saved.checkpoint is not None and not saved.passed
    assert len(list(saved.checkpoint.glob("rng_state_*.pth"))) == MANY
    steps = [step for step, *_ in losses(run)]
    assert steps == list(range(1, len(steps) + 1)), "rank 0 alone tells"
    assert losses(run)[0][1] == pytest.approx(losses(one)[0][1], abs=1e-3)
    run.stop_file.unlink()

    before = len(steps)
    fault = train(run, many, lambda training: kill_rank(run, 13, before + 2, training))
    assert isinstance(fault, TunewizError)
    assert [(problem.code, problem.message.values["rank"]) for problem in fault.problems] == [("rank-killed", 13)]
    assert family(run) == [] and not (run.directory / "ranks").exists()
    assert losses(run)[before][0] == before + 1, "it went on from its checkpoint"
    assert {type(event).__name__ for event in events(run)} >= {"Noticed", "Progress", "Saved"}
