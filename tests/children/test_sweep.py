"""A sweep as a user finds it: refused before it starts, killed in the middle, gone on with, ended in one table."""

from __future__ import annotations

import json
import os
import signal
from importlib.util import find_spec

import pytest

from tests.children.test_command import Shell, shell, training, wait_until
from tunewiz.backends.runs import lock
from tunewiz.backends.runs.find import all_runs
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.process import alive
from tunewiz.backends.runs.run import Run
from tunewiz.presets.yaml.library import load

__all__ = ["shell"]  # a fixture


def test_a_wrong_point_is_refused_before_the_first_starts(shell: Shell) -> None:
    wrong = shell("run", str(shell.preset), "--sweep", "training.learning_rate=1e-3,2")
    assert (wrong.returncode, all_runs(shell.runs)) == (2, [])
    assert "Point training.learning_rate=2: training.learning_rate:" in wrong.stderr


def children_of(run: Run) -> list[Run]:
    return [Run(folder) for folder in sorted((run.directory / "variants").iterdir())]


@pytest.mark.parametrize("rates", ["1e-3,3e-3", pytest.param("1e-4,3e-4,1e-3,3e-3", marks=pytest.mark.torture)])
def test_a_killed_sweep_goes_on_and_ends_in_one_table(shell: Shell, rates: str) -> None:
    count = len(rates.split(","))
    command = ("run", str(shell.preset), "--sweep", f"training.learning_rate={rates}", "--set", "launch.device=cpu",
               "--set", "data.evaluation.validation_fraction=0.3")  # fmt: skip
    front = shell.start(*command)
    wait_until(lambda: bool(all_runs(shell.runs)) and (shell.last().directory / "variants").is_dir(), 600)
    run = shell.last()
    wait_until(lambda: len(children_of(run)) == count and alive(children_of(run)[1]), 900)
    first, second = children_of(run)[:2]
    owner, inner = lock.owner_of(run.directory), lock.owner_of(second.directory)
    assert owner is not None
    assert inner is not None
    os.kill(owner.pid, signal.SIGKILL)
    wait_until(lambda: read_state(run).over, 600)
    front.communicate(timeout=240)
    assert front.returncode != 0
    wait_until(lambda: not any(alive(one) for one in children_of(run)))
    assert read_state(first).status == "finished"
    before = first.events_file.read_text(encoding="utf-8")

    done = shell(*command, "--json")
    assert done.returncode == 0, done.stderr
    assert f"This sweep was begun as {run.name}" in done.stderr
    assert all_runs(shell.runs) == [run]
    assert first.events_file.read_text(encoding="utf-8") == before, "what was finished is not repeated"
    told = json.loads(done.stdout)
    assert (told["status"], told["exit_code"]) == ("finished", 0)
    assert told["before"]
    assert told["after"]
    numbers = json.loads(shell("report", "--json").stdout)["metrics"]
    assert len(numbers["variants"]) == count
    best = Run(run.directory / "variants" / numbers["best"])
    assert load(str(run.report / "best.yaml")) == load(str(best.preset_file))
    assert told["after"] == numbers["after"] == json.loads((best.report / "metrics.json").read_text())["after"]
    page = (run.report / "report.md").read_text(encoding="utf-8")
    assert "measured best on the validation data (ndcg@10" in page
    assert page.count("| 0.0") + page.count("| 1.0e-") + page.count("| **") >= count, page
    assert (run.report / "report.html").is_file()
    assert sum(1 for file in run.model.rglob("*.safetensors")) == 1
    ranked = {name: max(read_state(Run(run.directory / "variants" / name)).curves["eval_ndcg@10"].values)
              for name in numbers["variants"]}  # fmt: skip
    assert ranked == numbers["chosen_values"]
    assert ranked[numbers["best"]] == max(ranked.values())


@pytest.mark.torture
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "swept",
    [
        pytest.param(["training.learning_rate=1e-4,3e-4,1e-3,3e-3"], id="grid"),
        pytest.param(
            ["training.learning_rate=1e-4..3e-3 log"],
            id="range",
            marks=pytest.mark.skipif(find_spec("optuna") is None, reason="needs optuna"),
        ),
    ],
)
def test_a_sweep_that_is_ended_by_sigterm_saves_and_ends_in_one_table(shell: Shell, swept: list[str]) -> None:
    """As a batch system does it: to the process in front. The point at hand leaves a checkpoint and goes on from it."""
    text = shell.preset.read_text(encoding="utf-8").replace("epochs: 2", "epochs: 60")
    shell.preset.write_text(text, encoding="utf-8")
    told = ("sweep_trials=4", "launch.device=cpu", "data.evaluation.validation_fraction=0.3")
    command = ["run", str(shell.preset), *(word for one in swept for word in ("--sweep", one))]
    command += [word for one in told for word in ("--set", one)]
    front = shell.start(*command)
    wait_until(lambda: bool(all_runs(shell.runs)) and (shell.last().directory / "variants").is_dir(), 900)
    run = shell.last()
    wait_until(lambda: read_state(run).best == 1 and any(map(training, children_of(run))), 1800)
    (going,) = filter(training, children_of(run))
    front.terminate()
    _, said = front.communicate(timeout=900)
    assert front.returncode == 130, said
    assert read_state(run).status == read_state(going).status == "stopped"
    assert list(going.checkpoints.glob("checkpoint-*")), "what was trained of the point at hand is kept"
    wait_until(lambda: not any(alive(one) for one in (run, *children_of(run))))

    done = shell.start(*command, "--json")
    out, said = done.communicate(timeout=1800)
    assert done.returncode == 0, said
    assert f"This sweep was begun as {run.name}" in said
    begun = [event for event in map(json.loads, going.events_file.read_text("utf-8").splitlines())
             if event["event"] == "started"]  # fmt: skip
    assert [event["resumed"] for event in begun] == [False, True]
    sweep = json.loads(out)["sweep"]
    assert [one["status"] for one in sweep["runs"]] == ["finished"] * 4
    values = [next(iter(one["values"].values())) for one in sweep["runs"]]
    assert sweep["best"] == values.index(max(values)) + 1
    page = (run.report / "report.md").read_text(encoding="utf-8")
    assert page.count("| 0.00") + page.count("| 0.0e") + page.count("| 1.0e-") + page.count("| **0.0") >= 4, page
