"""The child process of a run: who it is, whether it lives, how it is started and ended.

It is started so that nothing on this side can take it down.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import Any

import psutil

from tunewiz.backends.runs.events import Launched
from tunewiz.backends.runs.run import Run
from tunewiz.errand import child_environment
from tunewiz.files import read_json, write_json
from tunewiz.problems import BadPreset, error, say

PROCESS_FILE = "process.json"


def write_identity(run: Run, pid: int) -> None:
    """Record which process carries ``run``: its id, and its start time since ids are used again."""
    try:
        begun = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        begun = 0.0
    write_json(run.directory / PROCESS_FILE, {"pid": pid, "create_time": begun, "boot_time": psutil.boot_time()})


def process(run: Run) -> psutil.Process | None:
    """The living child of ``run``, or ``None``. Another process that got the same id does not count."""
    identity: Any = read_json(run.directory / PROCESS_FILE)
    if not isinstance(identity, dict):
        return None
    try:
        found = psutil.Process(int(identity.get("pid", 0)))
        # create_time is derived from the boot time, which may shift by a little when the clock is set.
        same = abs(found.create_time() - float(identity.get("create_time", 0))) < 2.0
        return found if same and found.status() != psutil.STATUS_ZOMBIE else None
    except (psutil.Error, ValueError, TypeError):
        return None


def alive(run: Run) -> bool:
    """Whether the child of ``run`` is running."""
    return process(run) is not None


def ask_to_stop(run: Run) -> None:
    """Ask the child to save a checkpoint and leave; it looks for the file between steps."""
    run.stop_file.touch()


def kill(run: Run) -> bool:
    """Kill the child and everything in its process group at once; whether there was one."""
    child = process(run)
    if child is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.killpg(os.getpgid(child.pid), signal.SIGKILL)
    return True


# Starting the child of a run so that nothing on this side can take it down.


def launch(run: Run) -> subprocess.Popen[bytes]:
    """Start the child in a session of its own, its output going to ``output.log``.

    A lost terminal, SIGHUP or the death of the caller does not touch it. Raises ``BadPreset`` when the run already
    has a living child. The child's exit code is one of :class:`~tunewiz.problems.ExitCode`.

    >>> from pathlib import Path
    >>> from tunewiz.backends.runs.create import create
    >>> from tunewiz.backends.runs.follow import read_state
    >>> from tunewiz.presets.yaml.library import load
    >>> run = create(load("faq-embedding.yaml", ["evaluation.k=[1, 3]"]), Path("elsewhere"))
    >>> launch(run).wait()
    0
    >>> read_state(run).status
    'finished'
    """
    if alive(run):
        problem = say("The run {name} is already going on.", name=run.name)
        raise BadPreset(
            error("run-is-alive", problem, fix=say("Look at it with `tunewiz watch {name}`.", name=run.name))
        )
    run.stop_file.unlink(missing_ok=True)
    run.emit(Launched())
    with run.log_file.open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "tunewiz.backends.runs.worker", str(run.directory)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=run.directory,
            env=_environment(),
        )
    write_identity(run, child.pid)
    return child


def _environment() -> dict[str, str]:
    own = child_environment()
    return own | {"PYTHONUNBUFFERED": "1", "TOKENIZERS_PARALLELISM": own.get("TOKENIZERS_PARALLELISM", "true")}
