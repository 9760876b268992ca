"""The child process of a run: who it is, whether it lives, how it is asked to end, and ended."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

import psutil

from tunewiz.backends.runs import lock
from tunewiz.backends.runs.ends import put_in_order
from tunewiz.backends.runs.lock import Owner
from tunewiz.backends.runs.run import Run
from tunewiz.files import PRIVATE, read_object, write_json


def write_identity(run: Run, pid: int, keeper: int = 0) -> None:
    """Record which process carries ``run``, and which one waits for it. Raises ``OSError``."""
    lock.write_owner(run.directory, pid, keeper)


def process(run: Run) -> psutil.Process | None:
    """The living child of ``run``, or while its end is being told who waits for it; ``None`` when both are gone.

    Another process that got the same id does not count.
    """
    owner = lock.owner_of(run.directory)
    if owner is None or not owner.here:
        return None
    return _living(owner.pid, owner.create_time) or _living(owner.keeper, owner.keeper_create_time)


def _living(pid: int, create_time: float) -> psutil.Process | None:
    try:
        found = psutil.Process(pid) if pid > 0 else None
        # create_time is derived from the boot time, which may shift by a little when the clock is set.
        if found is None or not abs(found.create_time() - create_time) < 2.0:
            return None
        return found if found.status() != psutil.STATUS_ZOMBIE else None
    except (psutil.Error, ValueError, OverflowError):
        return None


def alive(run: Run) -> bool:
    """Whether the child of ``run`` is running, here or, as far as its lock tells, on another machine."""
    owner = lock.owner_of(run.directory)
    if owner is not None and (process(run) is not None if owner.here else _alive_elsewhere(run, owner)):
        return True
    return job_goes_on(run)


# Runs that were handed to a batch system, which starts their processes when there is room, on whatever machine.

#: Who handed the run over, and the number of the job.
JOB_FILE: Final = "job.json"
_ASKED_AGAIN: Final = 5.0  # seconds; a controller serves many users
_OVER: Final = re.compile(r"BOOT_FAIL|CANCELLED|COMPLETED|DEADLINE|FAILED|NODE_FAIL|OUT_OF_MEMORY|PREEMPTED|TIMEOUT")
_known: Final[dict[Path, tuple[float, str]]] = {}


def write_job(run: Run, number: str) -> None:
    """Record that Slurm's job ``number`` carries ``run``. Raises ``OSError``."""
    write_json(run.directory / JOB_FILE, {"system": "slurm", "id": number, "host": socket.gethostname()}, PRIVATE)
    _known.pop(run.directory, None)


def job_of(run: Run) -> str:
    """The number of the job that carries ``run``; "" where none does."""
    number = read_object(run.directory / JOB_FILE).get("id")
    return number if isinstance(number, str) and number.isdecimal() else ""


def job_state(run: Run) -> str:
    """How Slurm says that the job of ``run`` stands (PENDING, RUNNING ...); "" where it is over or there is none.

    "UNKNOWN" where Slurm cannot be asked: not on this machine, or its controller does not answer.
    """
    number = job_of(run)
    # Inside the job its own process decides, not that the job is there.
    if not number or os.environ.get("SLURM_JOB_ID") == number:
        return ""
    asked, state = _known.get(run.directory, (0.0, "?"))
    if state and (state == "?" or time.monotonic() - asked > _ASKED_AGAIN):
        state = _asked(number)
        _known[run.directory] = (time.monotonic(), state)
    return state


def _asked(number: str) -> str:
    try:
        done = subprocess.run(
            ["squeue", "--noheader", "--jobs", number, "--format", "%T"],
            capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, timeout=20,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return "UNKNOWN"
    if done.returncode:
        return "" if "Invalid job id" in done.stderr else "UNKNOWN"
    word = done.stdout.strip().split("\n")[0].strip()
    return "" if _OVER.fullmatch(word) else word


def job_goes_on(run: Run) -> bool:
    """Whether a batch system will go on with ``run``, or does."""
    return bool(job_state(run))


def cancel_job(run: Run) -> bool:
    """Take the job of ``run`` out of Slurm's queue, or end it; whether Slurm did."""
    number = job_of(run)
    if not number or shutil.which("scancel") is None:
        return False
    _known.pop(run.directory, None)
    return subprocess.run(["scancel", number], capture_output=True, stdin=subprocess.DEVNULL).returncode == 0


def _alive_elsewhere(run: Run, owner: Owner) -> bool:
    try:
        return lock.is_held(run.directory)
    except lock.NoLocks:
        return True  # it cannot be told, and two at once would spoil the run
    except OSError:
        return False


def ask_to_stop(run: Run) -> None:
    """Ask the child to save a checkpoint and leave; it looks for the file between steps."""
    run.ask_to_stop()


def _beside(group: int) -> list[psutil.Process]:
    """The processes of other groups in the session that ``group`` leads: the runs inside a run, each with its own."""
    found = []
    for other in psutil.process_iter():
        with contextlib.suppress(OSError, psutil.Error):
            if os.getsid(other.pid) == group and os.getpgid(other.pid) != group:
                found.append(other)
    return found


def kill(run: Run) -> bool:
    """Kill the child and everything in its process group at once, and put the run in order; whether there was one."""
    child = process(run)
    if child is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        group = os.getpgid(child.pid)
        if group != os.getpgrp():  # an odd record must not make a command end itself and its shell's job
            inside = _beside(group)
            os.killpg(group, signal.SIGKILL)
            for other in inside:
                with contextlib.suppress(psutil.Error):
                    other.kill()
    put_in_order(run)
    return True
