"""The batch script of a run, and handing it over to a stand-in for sbatch that keeps what it was given."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.playing import a_run
from tunewiz.backends.outside import slurm
from tunewiz.backends.outside.slurm import is_option, options, script, submit
from tunewiz.backends.runs.events import Stopped
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.process import alive, job_of, job_state
from tunewiz.backends.runs.run import Run
from tunewiz.problems import BadPreset, TunewizError
from tunewiz.tui.commands.run import RunOptions, run_run

pytestmark = pytest.mark.usefixtures("in_english")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return a_run(tmp_path / "runs of mine")


def program(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(stat.S_IRWXU)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setattr(slurm.shutil, "which", lambda name: str(folder / name) if (folder / name).exists() else None)
    return folder


def test_the_script_says_what_is_asked_for_and_is_sound_shell(run: Run) -> None:
    text = script(run, options(["partition=gpu", "gpus=2", "time=4:00:00", "account=lab"]), {"A": "it's"}, "/my py")
    for line in (
        "#SBATCH --partition=gpu", "#SBATCH --gpus-per-node=2", "#SBATCH --time=4:00:00", "#SBATCH --account=lab",
        "#SBATCH --requeue", "#SBATCH --signal=B:TERM@120", f"#SBATCH --job-name={run.name}",
        """export A='it'"'"'s'""", "python='/my py'", f"run='{run.directory}'",
    ):  # fmt: skip
        assert line in text.splitlines(), text
    checked = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True)
    assert checked.returncode == 0, checked.stderr
    assert "B:TERM@30" in script(run, options(["time=1"]), {}), "half of a short limit"


@pytest.mark.parametrize(
    ("words", "code"),
    [(["gpu"], "slurm-option"), (["output=x"], "slurm-option"), (["time=soon"], "slurm-time"),
     (["nodes=1-2"], "slurm-nodes"), (["nodes=0"], "slurm-nodes")],
)  # fmt: skip
def test_a_wrong_option_is_refused(words: list[str], code: str) -> None:
    with pytest.raises(BadPreset) as caught:
        options(words)
    assert [problem.code for problem in caught.value.problems] == [code]


@pytest.mark.parametrize("asked", [["launch.nodes=2"], []])
def test_several_machines_are_asked_for_and_join(tmp_path: Path, programs: Path, asked: list[str]) -> None:
    """By the preset or by the job's own option; the preset of the run and the job say the same."""
    wanted = RunOptions(["embedding/starter"], asked, tmp_path / "runs", slurm=[] if asked else ["nodes=2"])
    assert run_run(wanted) == 1, "no sbatch here"
    (file,) = (tmp_path / "runs").glob("*/job.sbatch")
    text = file.read_text("utf-8")
    assert "#SBATCH --nodes=2" in text and "#SBATCH --ntasks-per-node=1" in text
    assert "  nodes: 2" in (file.parent / "preset.yaml").read_text("utf-8")
    assert "srun" in text and "tunewiz.backends.ranks.companion" in text
    checked = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True)
    assert checked.returncode == 0, checked.stderr


def test_options_and_presets_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a=b").touch()
    assert [is_option(word) for word in ("gpus=1", "starter", "a.yaml", "a=b", "-x=1")] == [
        True,
        False,
        False,
        False,
        False,
    ]


def test_a_job_is_handed_over_and_waits(run: Run, programs: Path) -> None:
    program(programs, "sbatch", f"cp \"$2\" {programs}/given; echo '77;cluster'")
    program(programs, "squeue", f"cat {programs}/state")
    (programs / "state").write_text("PENDING\n")
    job = submit(run, {})
    assert (job.id, job_of(run), job_state(run), alive(run)) == ("77", "77", "PENDING", True)
    assert (programs / "given").read_text() == job.script.read_text()
    assert read_state(run).status == "waiting"


@pytest.mark.parametrize(
    ("state", "goes_on"), [("RUNNING", True), ("COMPLETING", True), ("COMPLETED", False), ("", False)]
)
def test_the_job_tells_whether_the_run_goes_on(run: Run, programs: Path, state: str, goes_on: bool) -> None:
    program(programs, "sbatch", "echo 78")
    program(programs, "squeue", f"echo {state}")
    submit(run, {})
    assert alive(run) is goes_on
    assert read_state(run).status == ("waiting" if goes_on else "lost")


def test_what_sbatch_refuses_is_told_and_the_script_stays(run: Run, programs: Path) -> None:
    program(programs, "sbatch", "echo 'sbatch: error: invalid partition specified: x' >&2; exit 1")
    with pytest.raises(TunewizError, match="invalid partition"):
        submit(run, {"partition": "x"})
    assert (run.directory / slurm.SCRIPT).is_file()
    assert job_of(run) == ""


def test_without_sbatch_the_script_is_written(run: Run, programs: Path) -> None:
    job = submit(run, {})
    assert (job.id, job.script.is_file()) == ("", True)


def test_at_the_limit_the_job_queues_again_and_the_run_waits(run: Run, programs: Path) -> None:
    program(programs, "scontrol", f"echo $@ > {programs}/told")
    program(programs, "squeue", "echo PENDING")
    program(programs, "sbatch", "echo 79")
    submit(run, {})
    run.emit(Stopped())
    assert slurm.queue_again(run, "79") == 0
    assert (programs / "told").read_text() == "requeue 79\n"
    assert read_state(run).status == "waiting"
    program(programs, "scontrol", "echo 'Access denied' >&2; exit 1")
    assert slurm.queue_again(run, "79") == 1
    assert "Access denied" in run.events_file.read_text()


def test_a_job_that_is_ended_for_queueing_again_tells_of_it_still(run: Run, programs: Path) -> None:
    program(programs, "scontrol", "kill -TERM $PPID; sleep 0.2")
    environment = os.environ | {"SLURM_JOB_ID": "80", "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "tunewiz.backends.outside.slurm", str(run.directory)]
    assert subprocess.run(command, env=environment).returncode == 0
    assert "it is queued again" in run.events_file.read_text(encoding="utf-8")


def test_the_script_asks_the_run_to_save_and_queues_again_only_at_the_limit(run: Run, tmp_path: Path) -> None:
    """With a stand-in for the run that takes a second to leave, as one that saves."""
    stand_in = tmp_path / "python"
    again = 'case "$*" in *outside.slurm*) echo again; exit 0;; esac'
    trains = f"touch {tmp_path}/up; for one in 1 2 3 4 5 6 7 8 9; do sleep 0.2; done; exit 3"
    program(tmp_path, "python", f'{again}\ntrap "sleep 0.3; exit 130" TERM\n{trains}')
    text = script(run, {}, {}, str(stand_in))
    file = tmp_path / "job"
    file.write_text(text)
    ended = subprocess.run(
        ["bash", str(file)], env={"SLURM_JOB_ID": "1", "PATH": os.environ["PATH"]}, capture_output=True
    )
    assert (ended.returncode, b"again" in ended.stdout) == (3, False)
    (tmp_path / "up").unlink()
    job = subprocess.Popen(
        ["bash", str(file)], env={"SLURM_JOB_ID": "1", "PATH": os.environ["PATH"]}, stdout=subprocess.PIPE
    )
    while not (tmp_path / "up").exists():
        assert job.poll() is None
    job.terminate()
    out, _ = job.communicate(timeout=60)
    assert (job.returncode, b"again" in out) == (0, True)
