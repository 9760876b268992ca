"""The child process of a run: who it is, whether it lives, how it is asked to end, and ended."""

from __future__ import annotations

import contextlib
import os
import signal

import psutil

from tunewiz.backends.runs import lock
from tunewiz.backends.runs.ends import put_in_order
from tunewiz.backends.runs.lock import Owner
from tunewiz.backends.runs.run import Run


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
    if owner is None:
        return False
    return process(run) is not None if owner.here else _alive_elsewhere(run, owner)


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
