"""A training in two processes that torchrun starts (gloo, on the CPU): same numbers, stop, a killed rank, resume."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.children.llm_setup import preset as llm_preset
from tests.children.reranking import reranker_preset
from tests.children.training_setup import events, groups, prepared, preset
from tests.torture.cases import embedding
from tunewiz.backends.engines import find_engine
from tunewiz.backends.ranks import torchrun
from tunewiz.backends.ranks.plan import Plan
from tunewiz.backends.runs.checkpoints import choose, newest
from tunewiz.backends.runs.create import create
from tunewiz.backends.runs.events import Progress
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.launching import launch
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
            torchrun.train(run, find_engine(wanted.backend), wanted)
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
            find_engine(wanted.backend).train(run, wanted)


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


# Every engine: one step by two processes, stopped, and gone on with by one.


def other_losses(model: Path) -> dict[str, Preset]:
    """What is trained by engines and losses beside the plain one."""
    groups_of_three, softmax = ({"name": name, "group_size": 3} for name in ("info_nce", "group_softmax"))
    cached = {"name": "cached_multiple_negatives_ranking", "mini_batch_size": 2}
    rows = model.parent / "rows.jsonl"  # is not read: they are prepared
    flag = preset(model, groups_of_three, training=STEPS).model_copy(update={"backend": "flag_embedding"})
    return {
        "cached": preset(model, cached, training=STEPS),
        "flag_embedding": flag,
        "cross_encoder": reranker_preset(model, rows, training=STEPS),
        "flag_reranker": reranker_preset(model, rows, training=STEPS, backend="flag_embedding", loss=softmax),
    }


@pytest.mark.torture
@pytest.mark.parametrize("name", ["llama_factory", "flag_embedding", "cross_encoder", "cached", "flag_reranker"])
def test_every_engine_learns_alike(name: str, still_encoder: Path, tiny_llm: Path, tmp_path: Path) -> None:
    if name == "llama_factory":
        steps = STEPS | {"batch_size": 4, "accumulation": 2}
        wanted: Preset = llm_preset(tiny_llm, training=steps, method={"type": "lora", "dropout": 0.0})
        one = Run(tmp_path / "one")
        one.directory.mkdir()
        one.preset_file.write_text(dumps(wanted), "utf-8")
        find_engine(wanted.backend).prepare(one, wanted)
    else:
        wanted = other_losses(still_encoder)[name]
        one = begun(tmp_path, "one", wanted, prepared(groups(2)))
    run = Run(tmp_path / "two")
    shutil.copytree(one.directory, run.directory)
    alone(one, wanted, until=3)
    run.stop_file.touch()
    assert isinstance(train(run, in_processes(wanted, 2)), StopRequested), run.events_file.read_text("utf-8")[-2000:]
    run.stop_file.unlink()
    (_, loss, norm), *_ = losses(one)
    (_, shared, shared_norm), *_ = losses(run)
    assert shared == pytest.approx(loss, abs=1e-3) and shared_norm == pytest.approx(norm, rel=1e-2)
    alone(run, wanted, until=3)
    assert [step for step, *_ in losses(run)] == [1, 2, 3]
    for (_, loss, _), (_, other, _) in zip(losses(run), losses(one), strict=True):
        assert loss == pytest.approx(other, abs=1e-3)


@pytest.mark.torture
def test_two_machines_are_two_agents(still_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    for name, value in {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": "lo"}.items():
        monkeypatch.setenv(name, value)
    wanted = preset(still_encoder, training=STEPS)
    wanted = wanted.model_copy(update={"launch": wanted.launch.model_copy(update={"processes": 1, "nodes": 2})})
    run = begun(tmp_path, "two", wanted, prepared(groups(2)))
    run.stop_file.touch()
    others: list[subprocess.Popen[bytes]] = []

    def other_machine(training: threading.Thread) -> None:
        while not (run.directory / "ranks" / "launch.json").is_file():
            assert training.is_alive()
            time.sleep(0.02)
        others.append(subprocess.Popen([sys.executable, *Plan(1, 2).command(run.directory, node=1)]))

    assert isinstance(train(run, wanted, other_machine), StopRequested)
    assert others[0].wait(60) == 0
    saved = newest(run.checkpoints)
    assert saved is not None and (saved / "rng_state_1.pth").is_file()
    assert losses(run)[0][1] == pytest.approx(3.0313, abs=2e-3)


@pytest.mark.torture
def test_signals_of_a_whole_job_save_and_nobody_outlives_the_run(still_encoder: Path, tmp_path: Path) -> None:
    """SIGTERM to every process at once, as batch systems send it; then SIGKILL to the one that carries the run."""
    wanted = in_processes(embedding(tmp_path, still_encoder), 2)
    endless = wanted.training.model_copy(update={**STEPS, "log_every": 1})
    run = create(wanted.model_copy(update={"training": endless}), tmp_path / "runs", "x")
    keeper = launch(run)
    following(run, keeper, step=2)
    for one in [*family(run), psutil.Process(keeper.pid)]:
        one.send_signal(signal.SIGTERM)
    assert keeper.wait() == 130
    saved = choose(run.checkpoints)
    assert saved.checkpoint is not None and not saved.passed and (saved.checkpoint / "rng_state_1.pth").is_file()

    keeper = launch(run)
    following(run, keeper, step=2)
    (worker,) = [one for one in family(run) if "tunewiz.backends.runs.worker" in one.cmdline()]
    worker.kill()
    assert keeper.wait() == 1
    while family(run):
        time.sleep(0.1)
    assert read_state(run).status == "failed"


def following(run: Run, keeper: subprocess.Popen[bytes], step: int) -> None:
    """Return once ``step`` further steps are told."""
    before = len(losses(run)) if run.events_file.is_file() else 0
    while not run.events_file.is_file() or len(losses(run)) < before + step:
        assert keeper.poll() is None, run.log_file.read_text("utf-8")[-3000:]
        time.sleep(0.05)
