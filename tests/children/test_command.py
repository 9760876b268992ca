"""The command as a user or a batch job finds it: real child processes, a tiny model, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.children.evaluation import carried
from tests.conftest import DEVICE
from tunewiz.backends.runs.create import create
from tunewiz.backends.runs.find import all_runs
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.process import alive, kill
from tunewiz.backends.runs.run import Run
from tunewiz.presets.yaml.library import load

VERBS = ["train", "stop", "resume", "check", "install", "run", "lower", "search"]
NOUNS = ["gpu", "disk", "model", "data", "port", "server", "batch", "index"]


def as_from_a_terminal() -> None:
    """Undo what ``nohup`` or a background job hands down: ignored signals."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Shell:
    """Runs ``tunewiz`` in a folder of its own."""

    def __init__(self, folder: Path, preset: Path) -> None:
        self.folder, self.preset, self.runs = folder, preset, folder / "runs"
        self._environment = os.environ | {"TUNEWIZ_RUNS": str(self.runs), "LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1"}

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=600,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self._environment,
            stdout=pipe,
            stderr=pipe,
            text=True,
            preexec_fn=as_from_a_terminal,
        )

    @staticmethod
    def command(*arguments: str) -> list[str]:
        return [sys.executable, "-c", "import sys; from tunewiz.tui.cli import main; sys.exit(main())", *arguments]

    def last(self) -> Run:
        return all_runs(self.runs)[-1]


@pytest.fixture
def shell(tmp_path: Path, tiny_encoder: Path):  # type: ignore[no-untyped-def]
    rows = [
        {"query": f"how do i {verb} the {noun}", "positive": f"to {verb} the {noun} you do it with the server {number}"}
        for number, (verb, noun) in enumerate((verb, noun) for verb in VERBS for noun in NOUNS)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    preset = tmp_path / "tiny.yaml"
    preset.write_text(
        f"name: tiny\ntask: embedding\nmodel: {{id: {tiny_encoder}, source: local}}\n"
        "data: {train: rows.jsonl, evaluation: {fraction: 0.25}}\nloss: multiple_negatives_ranking\n"
        "training: {batch_size: 8, epochs: 2, learning_rate: 1.0e-3, max_length: 32, log_every: 1}\n"
        f"launch: {{device: {DEVICE}}}\nevaluation: {{bootstrap: 200, general: false}}\n",
        encoding="utf-8",
    )
    yield Shell(tmp_path, preset)
    for run in all_runs(tmp_path / "runs"):
        kill(run)


def training(run: Run) -> bool:
    """Whether ``run`` is some steps into its training."""
    state = read_state(run)
    return state.stage == "train" and state.step > 3


def wait_until(true: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)


def test_a_run_ends_with_a_verdict_a_report_and_a_model(shell: Shell) -> None:
    done = shell("run", str(shell.preset), "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["status"] == "finished"
    assert told["verdict"] in ("WIN", "MARGINAL", "UNPROVEN", "REGRESSION")
    assert set(told["before"]) == set(told["after"]) >= {"ndcg@10", "recall@1", "mrr@10", "map@100"}
    run = Run(Path(told["directory"]))
    assert (run.model / "modules.json").is_file()
    assert json.loads((run.report / "metrics.json").read_text(encoding="utf-8"))["verdict"] == told["verdict"]
    assert str(shell.folder / "rows.jsonl") in run.preset_file.read_text(encoding="utf-8")
    assert "Traceback" not in run.log_file.read_text(encoding="utf-8")
    report = shell("report")
    assert report.returncode == 0
    assert f"{told['after']['ndcg@10']:.4f}" in report.stdout
    whole = json.loads(shell("report", "--json").stdout)
    assert whole["metrics"] == json.loads((run.report / "metrics.json").read_text(encoding="utf-8"))
    assert whole["next"] == whole["metrics"]["next"] != []
    listed = json.loads(shell("runs", "--json").stdout)
    assert [item["name"] for item in listed] == [told["name"]]
    # The preset as it was run gives the same numbers again.
    again = create(load(str(run.preset_file)), shell.runs)
    assert carried(again) == 0
    assert json.loads((again.report / "metrics.json").read_text(encoding="utf-8"))["after"] == told["after"]


def test_exit_code_5_when_worse_is_asked_for_only(shell: Shell) -> None:
    spoil = ["--set", "training.learning_rate=0.5", "--set", "training.precision=fp32"]
    worse = shell("run", str(shell.preset), "--fail-on-regression", "--json", "--name", "spoilt", *spoil)
    assert shell.last().name.startswith("spoilt")
    assert json.loads(worse.stdout)["verdict"] == "REGRESSION"
    assert worse.returncode == 5
    assert read_state(shell.last()).exit_code == 0


def test_a_run_outlives_its_terminal_stops_with_a_checkpoint_and_goes_on_to_its_verdict(shell: Shell) -> None:
    running = shell.start("run", str(shell.preset), "--set", "training.epochs=40")
    wait_until(lambda: bool(all_runs(shell.runs)) and training(shell.last()))
    running.send_signal(signal.SIGHUP)
    running.communicate(timeout=30)
    run = shell.last()
    assert alive(run)
    assert shell("stop", run.name).returncode == 0
    state = read_state(run)
    assert (state.status, state.exit_code) == ("stopped", 130)
    checkpoint = run.newest_checkpoint()
    assert checkpoint is not None
    assert (checkpoint / "optimizer.pt").is_file()
    assert not alive(run)
    reached = state.step
    early = shell("report", run.name)
    assert (early.returncode, f"tunewiz run --resume {run.name}" in early.stderr) == (2, True)
    resumed = shell("run", "--resume", run.name, "--json")
    assert resumed.returncode == 0, resumed.stderr
    state = read_state(run)
    assert state.status == "finished"
    assert min(step for step in state.curves["loss"].steps if step > reached) == reached + 1


def test_who_watches_leaves_and_the_first_interrupt_of_a_foreground_run_stops_it_with_a_checkpoint(
    shell: Shell,
) -> None:
    running = shell.start("run", str(shell.preset), "--set", "training.epochs=1000")
    wait_until(lambda: bool(all_runs(shell.runs)) and training(shell.last()))
    run = shell.last()
    watching = shell.start("watch", run.name)
    assert watching.stderr is not None
    assert watching.stderr.readline()
    watching.send_signal(signal.SIGINT)
    _, told = watching.communicate(timeout=30)
    assert watching.returncode == 0
    assert "The run goes on" in told
    assert alive(run)
    running.send_signal(signal.SIGTERM)  # what a batch system sends; Ctrl-C goes the same way
    _, told = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "saves a checkpoint" in told
    assert shell.last().newest_checkpoint() is not None


def test_a_killed_child_is_told_and_leaves_nothing_running(shell: Shell) -> None:
    running = shell.start("run", str(shell.preset), "--set", "training.epochs=1000")
    wait_until(lambda: bool(all_runs(shell.runs)) and training(shell.last()))
    assert kill(shell.last())
    out, told = running.communicate(timeout=30)
    assert running.returncode == 1
    assert (out + told).count("SIGKILL") == 1
    assert "SIGKILL" in told
    assert "gone without a word" not in out + told
    assert "--resume" in out
    assert read_state(shell.last()).status == "lost"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["run"], 2, "neither a preset nor --resume"),
        (["run", "no-such-preset"], 2, "no-such-preset"),
        (["run", "PRESET", "--set", "training.epoch=1"], 2, "Did you mean"),
        (["run", "PRESET", "--set", "data.train=missing.csv"], 3, "missing.csv"),
        (["run", "PRESET", "--set", "model.id=./no-model"], 2, "no-model"),
        (["run", "--resume", "nothing"], 2, "There is no run nothing"),
        (["watch", "nothing"], 2, "There is no run nothing"),
        (["stop", "nothing"], 2, "There is no run nothing"),
        (["report", "nothing"], 2, "There is no run nothing"),
        (["check", "PRESET", "--set", "loss=triplet"], 2, "cannot learn from rows of the format pairs"),
        (["check", "PRESET", "--set", "loss=cached_multiple_negatives_ranking"], 0, "No errors"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_exit_code(
    shell: Shell, arguments: list[str], code: int, says: str
) -> None:
    done = shell(*(str(shell.preset) if word == "PRESET" else word for word in arguments))
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert says in done.stderr + done.stdout


def test_bad_rows_end_the_run_with_their_lines(shell: Shell) -> None:
    (shell.folder / "rows.jsonl").write_text('{"query": "a", "positive": ""}\n{"query": ', encoding="utf-8")
    done = shell("run", str(shell.preset))
    assert done.returncode == 3
    assert "rows.jsonl:2" in done.stderr
    assert "Traceback" not in done.stderr
