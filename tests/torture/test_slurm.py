"""A run through a real Slurm on this machine: submitted, followed, stopped by the clock, queued again, ended."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.children.test_command import Shell, shell, wait_until
from tunewiz.backends.outside import slurm as batch
from tunewiz.backends.runs.find import all_runs
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.process import job_of
from tunewiz.backends.runs.run import Run

__all__ = ["shell"]  # a fixture

pytestmark = [
    pytest.mark.torture,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        not all(map(shutil.which, ("slurmctld", "slurmd", "munged", "sbatch"))) or os.getuid() != 0,
        reason="needs slurmctld, slurmd and munged, and root to start them",
    ),
]

CONF = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={first}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
KillWait=10
SchedulerParameters=sched_interval=2,bf_interval=2
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@pytest.fixture
def slurm(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Slurm's own daemons and munge's, all in one folder, ended by their ids; as many machines as its parameter says.

    Machines of one host are slurmd's of their own, each at a port of its own.
    """
    count = getattr(request, "param", 1)
    names = [f"n{number}" for number in range(1, count + 1)]
    folder = tmp_path / "slurm"
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    first, *ports = free_ports(1 + count)
    host = socket.gethostname().partition(".")[0]
    nodes = [
        f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 State=UNKNOWN"
        for name, port in zip(names, ports, strict=True)
    ]
    for name in names:
        (folder / "spool" / name).mkdir()
    conf = folder / "slurm.conf"
    conf.write_text(CONF.format(host=host, folder=folder, first=first, nodes="\n".join(nodes)), encoding="utf-8")
    (folder / "cgroup.conf").write_text("CgroupAutomount=no\n", encoding="utf-8")
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    monkeypatch.setenv("SLURM_CONF", str(conf))
    munged = [
        "munged", "--foreground", "--force", f"--socket={folder}/munge.socket", f"--key-file={key}",
        f"--pid-file={folder}/munge.pid", f"--log-file={folder}/munge.log", f"--seed-file={folder}/munge.seed",
    ]  # fmt: skip
    commands = [munged, ["slurmctld", "-D", "-f", str(conf)]]
    commands += [["slurmd", "-D", "-f", str(conf), "-N", name] for name in names]
    daemons = []
    try:
        for command in commands:
            with (folder / f"{command[0]}.out").open("ab") as out:
                daemons.append(subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True))
            time.sleep(1)
        end = time.monotonic() + 60
        while asked("sinfo", "--noheader", "--Node", "--format=%t").split().count("idle") < count:
            assert time.monotonic() < end, [file.read_text() for file in folder.glob("slurm*.log")]
            time.sleep(1)
        yield folder
        asked("scancel", "--user=root")
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
            try:
                daemon.wait(30)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def asked(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout


@pytest.mark.parametrize(("slurm", "machines"), [(1, 1), (2, 2)], indirect=["slurm"])
def test_a_job_meets_its_limit_queues_again_and_ends_in_a_verdict(slurm: Path, shell: Shell, machines: int) -> None:
    text = shell.preset.read_text(encoding="utf-8").replace("epochs: 2", "epochs: 1000")
    shell.preset.write_text(text, encoding="utf-8")
    refused = shell("run", str(shell.preset), "--slurm", "partition=nothing", "--set", "launch.device=cpu")
    assert refused.returncode == 1
    assert "sbatch refused the job" in refused.stderr
    shutil.rmtree(shell.last().directory)

    job = ["--slurm", "partition=main", "time=5", *([f"nodes={machines}"] if machines > 1 else [])]
    front = shell.start("run", str(shell.preset), *job, "--set", "launch.device=cpu")
    wait_until(lambda: bool(all_runs(shell.runs)) and bool(steps(shell.last())) and between_jobs(shell.last()), 1200)
    # It would train for hours: the second job has little left to do.
    written = shell.last().preset_file.read_text(encoding="utf-8")
    fewer = written.replace("max_steps: -1", f"max_steps: {steps(shell.last())[-1] + 20}")
    assert fewer != written
    shell.last().preset_file.write_text(fewer, encoding="utf-8")
    out, told = front.communicate(timeout=1200)
    run = shell.last()
    assert front.returncode == 0, (told, (slurm / "slurmctld.log").read_text()[-3000:])
    state = read_state(run)
    assert (state.status, state.verdict in ("WIN", "MARGINAL", "UNPROVEN", "REGRESSION")) == ("finished", True)
    found = kinds(run)
    assert found.count("started") == found.count("stopped") + 1 >= 2, found
    assert "it is queued again" in told
    assert "begun before: 1" in next(run.directory.glob("slurm-*.log")).read_text()
    assert job_of(run) in told
    assert steps(run) == sorted(steps(run)), "no step is trained twice"
    assert "sbatch" not in out
    log = next(run.directory.glob("slurm-*.log")).read_text()
    # A training that is stopped as it begins may be told before the other machine has come.
    joined = log.count("machine 1: joins ")
    assert (2 <= joined <= log.count("on 2 machines")) if machines > 1 else joined == 0


def events(run: Run) -> list[dict[str, Any]]:
    if not run.events_file.is_file():
        return []
    whole = run.events_file.read_text(encoding="utf-8").rpartition("\n")[0]  # the last line may be half written
    return [json.loads(line) for line in whole.splitlines()]


def kinds(run: Run) -> list[str]:
    return [event["event"] for event in events(run)]


def between_jobs(run: Run) -> bool:
    """Whether a job was stopped by its limit and the next one has not begun; a slow machine needs some to train."""
    return [kind for kind in kinds(run) if kind in ("started", "stopped")][-1:] == ["stopped"]


def steps(run: Run) -> list[int]:
    return [event["step"] for event in events(run) if event["event"] == "progress" and event["stage"] == "train"]


def test_a_job_that_waits_is_taken_out(slurm: Path, shell: Shell) -> None:
    sleeps = ["sbatch", "--parsable", "-c2", "--output=/dev/null", "--wrap", "sleep 600"]
    blocked = subprocess.run(sleeps, capture_output=True, text=True)
    done = shell("run", str(shell.preset), "--slurm", "partition=main", "--detach", "--set", "launch.device=cpu")
    assert done.returncode == 0, done.stderr
    run = shell.last()
    assert read_state(run).status == "waiting"
    assert job_of(run) in asked("squeue", "--noheader", "--format=%i")
    stopped = shell("stop", run.name)
    assert (stopped.returncode, read_state(run).status) == (0, "stopped")
    assert job_of(run) not in asked("squeue", "--noheader", "--format=%i")
    subprocess.run(["scancel", blocked.stdout.strip()], check=True)


STAND_IN = """#!/bin/sh
case "$*" in *outside.slurm*) exec {python} "$@";; esac
echo "begins: $*, restarts ${{SLURM_RESTART_COUNT:-0}}"
[ "${{SLURM_RESTART_COUNT:-0}}" -ge 1 ] && exit 0
trap 'echo saves; exit 130' TERM
while :; do sleep 0.2; done
"""


def test_the_clock_queues_a_job_again(slurm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for the run, which saves when it is asked: how busy the machine is makes no difference."""
    python = slurm / "python"
    python.write_text(STAND_IN.format(python=sys.executable), encoding="utf-8")
    python.chmod(0o755)
    run = Run(tmp_path / "run-1")
    run.directory.mkdir()
    monkeypatch.setattr(batch, "script", partial(batch.script, python=str(python)))
    job = batch.submit(run, batch.options(["partition=main", "time=1"]))
    wait_until(lambda: job.id not in asked("squeue", "--noheader", "--format=%i"), 600)
    (log,) = run.directory.glob("slurm-*.log")
    told = log.read_text(encoding="utf-8")
    assert told.count(f"begins: -m tunewiz run --resume {run.directory}") == 2, told
    assert told.index("saves") < told.index("begun before: 1")
    assert kinds(run) == ["launched", "launched", "noticed"]
    assert "it is queued again" in run.events_file.read_text(encoding="utf-8")
