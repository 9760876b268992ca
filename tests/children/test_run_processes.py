"""The processes of a run: never two at once, and no end of one that is not told, whoever is there to see it."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.children.test_command import Shell, training, wait_until
from tunewiz.backends.runs import lock
from tunewiz.backends.runs.advice import Listening
from tunewiz.backends.runs.ends import AGAIN, kernel_kills
from tunewiz.backends.runs.events import Started
from tunewiz.backends.runs.find import all_runs
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.launching import launch
from tunewiz.backends.runs.process import alive, kill, write_identity
from tunewiz.backends.runs.run import Run
from tunewiz.problems import Problem

#: The exit code of a run whose child somebody killed; without the kernel's count it looks like a lack of memory.
BY_A_PERSON = 4 if kernel_kills() is None else 1
WAITING = "import time\ntime.sleep(600)\n"


@pytest.fixture
def shell(tmp_path: Path, tiny_encoder: Path) -> Iterator[Shell]:
    """Runs ``tunewiz``; a preset whose training lasts until it is stopped."""
    rows = [
        {"query": f"how do i train model {number}", "positive": f"to train the model {number}"} for number in range(40)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    preset = tmp_path / "tiny.yaml"
    preset.write_text(
        f"name: tiny\ntask: embedding\nmodel: {{id: {tiny_encoder}, source: local}}\n"
        "data: {train: rows.jsonl, evaluation: {fraction: 0.25}}\nloss: multiple_negatives_ranking\n"
        "training: {batch_size: 8, epochs: 1000, learning_rate: 1.0e-4, max_length: 32, log_every: 1}\n"
        "launch: {device: cpu}\nevaluation: {bootstrap: 200, baseline: false}\n",
        encoding="utf-8",
    )
    yield Shell(tmp_path, preset)
    for run in all_runs(tmp_path / "runs"):
        kill(run)


def gone(run: Run) -> bool:
    return not alive(run) and not lock.is_held(run.directory)


@pytest.mark.parametrize("pairs", [2, pytest.param(12, marks=pytest.mark.torture)])
def test_of_two_launches_at_once_exactly_one_starts(shell: Shell, pairs: int) -> None:
    launched = shell("run", str(shell.preset), "--detach")
    assert launched.returncode == 0, launched.stderr
    run = Run(Path(launched.stdout.strip()))
    for _ in range(pairs):
        assert kill(run)
        pair = [shell.start("run", "--resume", run.name, "--detach") for _ in range(2)]
        told = [one.communicate(timeout=240)[1] for one in pair]
        assert sorted(one.returncode for one in pair) == [0, 2], told
        refused = next(words for one, words in zip(pair, told, strict=True) if one.returncode == 2)
        owner = lock.owner_of(run.directory)
        assert owner is not None
        found = re.search(r"already going on: process (\d+) of (\S+) on (\S+), since 20", refused)
        assert found is not None, refused
        assert int(found[1]) in (owner.pid, owner.keeper)
        assert (found[2], found[3]) == (owner.user, owner.host)
        sessions = [one.pid for one in psutil.process_iter() if str(run.directory) in " ".join(_command(one))]
        assert {os.getsid(pid) for pid in sessions} == {owner.keeper or owner.pid}
    assert (run.events_file.read_text(encoding="utf-8").count('"launched"')) == pairs + 1
    wait_until(run.reserve_file.exists)
    assert kill(run)
    assert not run.reserve_file.exists()


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_a_child_that_is_killed_is_told_to_whoever_looks_later(shell: Shell) -> None:
    run = Run(Path(shell("run", str(shell.preset), "--detach").stdout.strip()))
    wait_until(lambda: read_state(run).stage == "prepare")
    owner = lock.owner_of(run.directory)
    assert owner is not None
    assert owner.keeper
    os.kill(owner.pid, signal.SIGKILL)
    wait_until(lambda: gone(run))
    state = read_state(run)
    assert (state.status, state.exit_code) == ("failed", BY_A_PERSON)
    watched, listed = shell("watch"), shell("runs")
    assert watched.returncode == BY_A_PERSON
    for told in (watched.stderr + watched.stdout, listed.stdout):
        assert "ended without a word: killed by signal 9" in told
        assert str(run.log_file) in told
    record = json.loads(shell("runs", "--json").stdout)[0]
    assert record["problems"][-1]["code"] == "run-killed"
    assert not run.reserve_file.exists()
    own = (run.directory, run.events_file, run.log_file, run.record_file, run.preset_file)
    assert [path for path in own if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_a_child_that_crashes_is_told_by_its_signal_and_leaves_no_process(tmp_path: Path) -> None:
    """With a child of a kind that a library starts: it has a process of its own, and dies of a bad pointer."""
    run = a_run(tmp_path)
    child = kept(
        run,
        "import ctypes, os, subprocess, sys\n"
        f"subprocess.Popen([sys.executable, '-c', {WAITING!r}])\n"
        "ctypes.string_at(0)\n",
    )
    assert child.wait(60) == 1
    state = read_state(run)
    assert state.why is not None
    assert (state.status, state.why["code"]) == ("failed", "run-crashed")
    assert "SIGSEGV" in state.why["message"]
    assert [one for one in psutil.process_iter() if _session(one) == child.pid] == []


def test_a_child_that_leaves_without_a_word_is_told_by_its_status(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    assert kept(run, "import os; os._exit(7)").wait(60) == 1
    state = read_state(run)
    assert state.why is not None
    assert state.why["code"] == "run-ended"
    assert "exit status 7" in state.why["message"]


def test_the_exit_code_is_the_one_that_was_told_however_the_child_leaves(tmp_path: Path) -> None:
    """Out of memory once more while it puts the run in order, a child leaves with another status."""
    run = a_run(tmp_path)
    run.reserve()
    code = (
        "import sys\nfrom pathlib import Path\nfrom tunewiz.backends.runs.events import Failed\n"
        "from tunewiz.backends.runs.run import Run\n"
        f"Run(Path({str(run.directory)!r})).emit(Failed(exit_code=4))\nsys.exit(1)\n"
    )
    assert kept(run, code).wait(120) == 4
    assert (read_state(run).status, read_state(run).exit_code) == ("failed", 4)
    assert not run.reserve_file.exists()


def test_a_child_that_asks_for_another_leaves_it_no_process_of_its_own(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    code = (
        "import os, subprocess, sys\nfrom pathlib import Path\nimport psutil\n"
        f"first = Path({str(tmp_path / 'first')!r})\n"
        f"if not first.exists():\n    first.touch()\n    subprocess.Popen([sys.executable, '-c', {WAITING!r}])\n"
        f"    sys.exit({AGAIN})\n"
        "alive = [one.pid for one in psutil.process_iter() if one.status() != 'zombie']\n"
        "alive = [pid for pid in alive if os.getsid(pid) == os.getsid(0) and pid not in (os.getpid(), os.getppid())]\n"
        f"Path({str(tmp_path / 'second')!r}).write_text(repr(alive))\nos._exit(7)\n"
    )
    assert kept(run, code).wait(60) == 1
    assert (tmp_path / "second").read_text() == "[]"
    state = read_state(run)
    assert state.why is not None
    assert "exit status 7" in state.why["message"]


def test_what_a_killed_child_printed_past_python_keeps_no_secret(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    token = "hf_QwErTyUiOpAsDfGhJkLzXcVbNm01234567"
    run.log_file.write_text(f"loading with {token}\n", encoding="utf-8")
    shared = run.directory / "rows.jsonl"
    shared.write_text("{}\n", encoding="utf-8")
    shared.chmod(0o644)
    run.reserve()
    assert kept(run, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n").wait(60) == BY_A_PERSON
    assert run.log_file.read_text(encoding="utf-8") == f"loading with {'*' * len(token)}\n"
    assert stat.S_IMODE(shared.stat().st_mode) == 0o600
    assert not run.reserve_file.exists()


def _session(process: psutil.Process) -> int:
    try:
        return 0 if process.status() == psutil.STATUS_ZOMBIE else os.getsid(process.pid)
    except (OSError, psutil.Error):
        return 0


def a_run(folder: Path) -> Run:
    run = Run(folder / "faq-20260101-000000")
    run.directory.mkdir()
    run.preset_file.write_text("name: faq\n", encoding="utf-8")
    return run


def kept(run: Run, code: str) -> subprocess.Popen[bytes]:
    """The keeper of ``run`` with a child of ours: a ``tunewiz`` of which only the worker is another."""
    start = (
        "import subprocess, sys\nfrom tunewiz.backends.runs import keeper\nreal = subprocess.Popen\n"
        f"keeper.subprocess.Popen = lambda _, **more: real([sys.executable, '-c', {code!r}], **more)\n"
        f"sys.exit(keeper.main([{str(run.directory)!r}]))\n"
    )
    return subprocess.Popen([sys.executable, "-c", start], start_new_session=True)


@pytest.mark.torture
def test_a_run_that_starts_while_its_last_process_leaves_waits_for_it(shell: Shell) -> None:
    run = Run(Path(shell("run", str(shell.preset), "--detach").stdout.strip()))
    wait_until(lambda: training(run))
    assert shell("stop", run.name, "--no-wait").returncode == 0
    resumed = shell("run", "--resume", run.name, "--detach")
    assert resumed.returncode == 0, resumed.stderr
    wait_until(lambda: training(run))
    told = [line for line in run.events_file.read_text(encoding="utf-8").splitlines() if '"stopped"' in line]
    assert len(told) == 1
    assert "checkpoint-" in told[0]


@pytest.mark.parametrize(
    ("code", "says"), [("while True: pass", "still using the CPU"), (WAITING, "it is not using the CPU")]
)
def test_a_child_that_says_nothing_is_noticed(tmp_path: Path, code: str, says: str) -> None:
    run = a_run(tmp_path)
    child = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    write_identity(run, child.pid)
    run.emit(Started(name="r", task="embedding", backend="b", model="m", pid=child.pid))
    listening, found = Listening(run, patience=1.0), list[Problem]()
    try:

        def noticed() -> bool:
            problem = listening.look(read_state(run), time.time())
            found.extend([problem] if problem else [])
            return bool(found)

        wait_until(noticed)
        assert found[0].code == "run-silent"
        assert says in found[0].message.text("en")
        run.log_file.write_text("something\n", encoding="utf-8")
        assert listening.look(read_state(run), time.time()) is None
    finally:
        kill(run)
        child.wait()


def test_a_run_is_told_by_its_own_words_where_it_has_some(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    assert launch(run).wait(120) == 2
    state = read_state(run)
    assert (state.status, state.exit_code) == ("failed", 2)
    assert state.why is not None
    assert "key is missing" in state.why["message"]
