"""``make torture``: whoever launched a run is killed, alone or with all of a login; the run goes on as if nothing was.

The run is one of ``tunewiz run`` in a session of a shell, as over SSH. ``TUNEWIZ_KILLS`` is the number of moments.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from tests.children.test_command import Shell, wait_until
from tests.torture.cases import embedding, hashes, loads, measured, tree
from tests.torture.test_matrix import KILLS, TABLE
from tunewiz.backends.runs import lock
from tunewiz.backends.runs.find import all_runs
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.process import alive, kill
from tunewiz.backends.runs.run import Run
from tunewiz.presets.yaml.writing import dumps

pytestmark = [pytest.mark.torture, pytest.mark.timeout(4 * 3600)]


class Whole(NamedTuple):
    shell: Shell
    run: Run
    seconds: float


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Iterator[Whole]:
    """A shell, and its run that nobody touched."""
    folder = tmp_path_factory.mktemp("launchers")
    preset = folder / "tiny.yaml"
    preset.write_text(dumps(embedding(folder, tiny_encoder)), "utf-8")
    shell = Shell(folder, preset)
    begun = time.monotonic()
    done = shell("run", str(preset), "--name", "whole")
    assert done.returncode == 0, done.stderr
    yield Whole(shell, shell.last(), time.monotonic() - begun)
    for run in all_runs(shell.runs):
        kill(run)


def of_session(leader: int) -> list[int]:
    """The processes of the session of ``leader``."""
    found = []
    for other in psutil.process_iter():
        try:
            if os.getsid(other.pid) == leader and other.status() != psutil.STATUS_ZOMBIE:
                found.append(other.pid)
        except (OSError, psutil.Error):
            continue
    return found


def carried(run: Run) -> list[int]:
    """The processes that name the directory of ``run``."""
    found = []
    for other in psutil.process_iter():
        try:
            if str(run.directory) in other.cmdline():
                found.append(other.pid)
        except psutil.Error:
            continue
    return found


def begun(shell: Shell, name: str) -> tuple[subprocess.Popen[bytes], Run]:
    """A shell that leads a session and in it runs ``tunewiz run``; and the run, once all its processes are there."""
    words = shell.command("run", str(shell.preset), "--name", name)
    login = subprocess.Popen(
        ["sh", "-c", '"$@"; exit $?', "sh", *words],
        cwd=shell.folder,
        env=os.environ | {"TUNEWIZ_RUNS": str(shell.runs), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_until(lambda: any(run.name.startswith(f"{name}-") for run in all_runs(shell.runs)))
    (run,) = (run for run in all_runs(shell.runs) if run.name.startswith(f"{name}-"))
    wait_until(lambda: (owner := lock.owner_of(run.directory)) is not None and owner.keeper > 0)
    return login, run


def kill_of(who: str, login: int, run: Run) -> None:
    """Kill the ``tunewiz run`` in the session of ``login``, all of that session, or who waits for the run's child."""
    owner = lock.owner_of(run.directory)
    assert owner is not None
    if who == "keeper":
        os.kill(owner.keeper, signal.SIGKILL)
    elif who == "launcher":
        (launcher,) = psutil.Process(login).children()
        launcher.kill()
    else:
        for number in (signal.SIGHUP, signal.SIGKILL):
            for process in of_session(login):
                os.kill(process, number)


@pytest.mark.parametrize("who", ["launcher", "login", "keeper"])
def test_a_run_goes_on_without_whoever_was_killed(whole: Whole, who: str) -> None:
    draw, same = random.Random(who), 0
    for number in range(KILLS):
        login, run = begun(whole.shell, f"{who}{number}")
        time.sleep(draw.uniform(0, whole.seconds / 2))
        kill_of(who, login.pid, run)
        end = time.monotonic() + 20 * whole.seconds + 60
        while alive(run):
            assert time.monotonic() < end
            time.sleep(0.1)
        login.wait(60)
        state = read_state(run)
        assert (state.status, carried(run)) == ("finished", []), state.why
        loads(run.directory)
        assert tree(run.directory) == tree(whole.run.directory)
        assert measured(run.directory) == measured(whole.run.directory)
        same += hashes(run.model) == hashes(whole.run.model)
    TABLE.append(f"| tunewiz run | the {who} | | {KILLS} | {KILLS} | {same} | 0 |")
    assert same == KILLS
