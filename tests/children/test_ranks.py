"""A training in two processes that torchrun starts (gloo, on the CPU): same numbers, stop, a killed rank, resume."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.children.training_setup import events, groups, prepared, preset
from tunewiz.backends.engines.sentence_transformers import SentenceTransformers
from tunewiz.backends.ranks import torchrun
from tunewiz.backends.runs.checkpoints import choose, newest
from tunewiz.backends.runs.events import Progress
from tunewiz.backends.runs.run import Run, StopRequested
from tunewiz.data.retrieval.prepared import save
from tunewiz.files import write_json
from tunewiz.presets.preset import Preset
from tunewiz.presets.yaml.writing import dumps
from tunewiz.problems import TunewizError

#: Three children that load the libraries at once take minutes on a busy machine.
pytestmark = pytest.mark.timeout(1500)
#: More than are ever taken: what ends a training here is a stop or a kill.
STEPS = {"max_steps": 5000, "evaluations": 0, "scheduler": "constant", "warmup": 0, "learning_rate": 1e-4}


@pytest.fixture(scope="module")
def still_encoder(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny encoder without dropout, whose random numbers differ between one process and two."""
    import shutil

    folder = tmp_path_factory.mktemp("still") / "model"
    shutil.copytree(tiny_encoder, folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    none = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config | none), "utf-8")
    return folder


def begun(folder: Path, name: str, wanted: Preset, rows: Any) -> Run:
    """A run whose data is prepared and whose training is due."""
    run = Run(folder / name)
    run.directory.mkdir(parents=True)
    run.preset_file.write_text(dumps(wanted), "utf-8")
    write_json(run.record_file, {"model": {"path": wanted.model.id, "source": "local", "place": wanted.model.id}})
    save(rows, run.data)
    return run


def in_processes(wanted: Preset, count: int) -> Preset:
    return wanted.model_copy(update={"launch": wanted.launch.model_copy(update={"processes": count})})


def train(
    run: Run, wanted: Preset, meanwhile: Callable[[threading.Thread], None] = lambda _: None
) -> BaseException | None:
    """Train as the stage does; what it raised. ``meanwhile`` is called beside it."""
    run.preset_file.write_text(dumps(wanted), "utf-8")
    raised: list[BaseException] = []

    def stage() -> None:
        try:
            torchrun.train(run, SentenceTransformers(), wanted)
        except (StopRequested, TunewizError) as fault:
            raised.append(fault)

    thread = threading.Thread(target=stage)
    thread.start()
    try:
        meanwhile(thread)
    finally:
        thread.join()
    return raised[0] if raised else None


def alone(run: Run, wanted: Preset, until: int) -> None:
    """Train in this process, and stop after the step ``until``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(run), "stop_requested", lambda self: losses(self)[-1:] and losses(self)[-1][0] >= until - 1)
        with pytest.raises(StopRequested):
            SentenceTransformers().train(run, wanted)


def losses(run: Run) -> list[tuple[int, float, float]]:
    """Step, loss and gradient norm of each step, in the order in which they were told."""
    found = [event for event in events(run) if isinstance(event, Progress) and "loss" in event.values]
    return [(event.step, event.values["loss"], event.values["grad_norm"]) for event in found]


def family(run: Run) -> list[psutil.Process]:
    """Every process that trains ``run``."""
    everyone = psutil.process_iter(["cmdline"])
    return [one for one in everyone if str(run.directory) in (one.info["cmdline"] or ()) and one.pid != os.getpid()]


def kill_rank(run: Run, rank: int, step: int, training: threading.Thread) -> None:
    """SIGKILL ``rank`` once ``step`` is over."""
    told = losses(run)
    before = len(told)
    while not (len(told) > before and told[-1][0] >= step):
        time.sleep(0.02)
        assert training.is_alive(), (run.directory / "events.jsonl").read_text("utf-8")[-2000:]
        told = losses(run)
    os.kill(json.loads((run.directory / "ranks" / f"{rank}.json").read_text("utf-8"))["pid"], signal.SIGKILL)


def test_two_processes_learn_what_one_does(still_encoder: Path, tmp_path: Path) -> None:
    """Stopped, killed, resumed, and resumed by one process: at each step the loss of the same rows."""
    wanted = preset(still_encoder, training=STEPS)
    two, rows = in_processes(wanted, 2), prepared(groups(2))
    one = begun(tmp_path, "one", wanted, rows)
    alone(one, wanted, until=6)
    expected = losses(one)
    assert [step for step, *_ in expected] == [1, 2, 3, 4, 5, 6]

    run = begun(tmp_path, "two", two, rows)
    run.stop_file.touch()
    assert isinstance(train(run, two), StopRequested)
    saved = choose(run.checkpoints)
    assert saved.checkpoint is not None and saved.checkpoint.name == "checkpoint-1" and not saved.passed
    assert {f"rng_state_{rank}.pth" for rank in (0, 1)} <= {path.name for path in saved.checkpoint.iterdir()}
    run.stop_file.unlink()

    fault = train(run, two, lambda training: kill_rank(run, 1, 4, training))
    assert isinstance(fault, TunewizError)
    assert [problem.code for problem in fault.problems] == ["rank-killed"]
    assert family(run) == []
    told = losses(run)
    assert [step for step, *_ in told[:4]] == [1, 2, 3, 4]
    # Vectors of the other process's rows are among the wrong answers: the loss would be far lower without them.
    for (_, loss, norm), (_, other, other_norm) in zip(told[:4], expected, strict=False):
        assert loss == pytest.approx(other, abs=1e-3) and norm == pytest.approx(other_norm, rel=1e-2)

    alone(run, wanted, until=6)
    resumed = losses(run)[len(told) :]
    assert [step for step, *_ in resumed] == [2, 3, 4, 5, 6]
    for (_, loss, _), (_, other, _) in zip(resumed, expected[1:], strict=True):
        assert loss == pytest.approx(other, abs=1e-3)
    last = newest(run.checkpoints)
    assert last is not None and last.name == "checkpoint-6"
