"""Starting the processes of a run so that nothing on this side can take them down, and never twice."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from tunewiz.backends.runs import lock
from tunewiz.backends.runs.ends import reason
from tunewiz.backends.runs.events import Launched
from tunewiz.backends.runs.follow import Follower
from tunewiz.backends.runs.process import alive, write_identity
from tunewiz.backends.runs.run import RESERVE, Run
from tunewiz.errand import child_environment
from tunewiz.files import PRIVATE, is_full
from tunewiz.problems import BadPreset, Problem, TunewizError, error, note, say, warning

#: Seconds that a process which is saving or leaving is waited for: a large checkpoint takes half a minute to write.
PATIENCE: Final = 60.0
#: The turn of a run in a queue, in the environment of its keeper.
TURN: Final = "TUNEWIZ_TURN"
_POLL: Final = 0.1  # seconds between two looks

Report = Callable[[Problem], None]


def launch(
    run: Run, report: Report = lambda _problem: None, turn: int | None = None, inside: bool = False
) -> subprocess.Popen[bytes]:
    """Start the run's processes in a session of their own, their output going to ``output.log``.

    ``turn``: it is one of a queue, and begins when it is its turn; turns are taken in the order of these numbers,
    nanoseconds since the epoch. ``inside``: it is part of the run that this process carries, and ends with it.

    A lost terminal, SIGHUP or the death of the caller does not touch them. They hold the run's lock from before they
    begin until they are gone, so that of two launches one starts. A process that is ending still is waited for, which
    ``report`` is told. Raises ``BadPreset`` when the run goes on already, and ``TunewizError`` when it cannot be
    written to. The exit code is one of :class:`~tunewiz.problems.ExitCode`.

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
    try:
        held = _hold(run, report)
        try:
            return _start(run, held, turn, inside)
        finally:
            if held is not None:
                os.close(held)  # the processes have their own copies
    except OSError as fault:
        raise TunewizError(_unwritable(run, fault)) from fault


def _start(run: Run, held: int | None, turn: int | None, inside: bool) -> subprocess.Popen[bytes]:
    if shutil.disk_usage(run.directory).free < 2 * RESERVE:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # there would be no room to say how it went
    run.stop_file.unlink(missing_ok=True)
    run.emit(Launched())
    if held is None:
        run.notice(_no_locks(run))
    log = os.open(run.log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
    try:
        child = subprocess.Popen(
            [sys.executable, "-m", "tunewiz.backends.runs.keeper", str(run.directory)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=not inside,
            process_group=0 if inside else None,  # the session is the outer run's, whose keeper ends it
            cwd=run.directory,
            env=_environment(held) | ({} if turn is None else {TURN: str(turn)}),
            pass_fds=() if held is None else (held,),
        )
    finally:
        os.close(log)
    write_identity(run, child.pid)
    return child


def _environment(held: int | None) -> dict[str, str]:
    own = child_environment()
    own |= {"PYTHONUNBUFFERED": "1", "TOKENIZERS_PARALLELISM": own.get("TOKENIZERS_PARALLELISM", "true")}
    return own if held is None else own | {lock.VARIABLE: str(held)}


def _hold(run: Run, report: Report) -> int | None:
    """The lock of ``run``; ``None`` where its file system knows none. Raises ``BadPreset`` when it goes on."""
    waited, end = False, time.monotonic() + PATIENCE
    follower = Follower(run)
    while True:
        held, locks = _taken(run)
        # Without a lock, and for a child of a version that took none, who lives is told by its id and its start.
        if (held is not None or not locks) and not alive(run):
            return held
        if held is not None:
            os.close(held)
        if not _is_ending(run, follower) or time.monotonic() > end:
            raise BadPreset(_goes_on(run))
        if not waited:
            waited = True
            report(note("run-ending", say("The last process of {name} is ending; it is waited for.", name=run.name)))
        time.sleep(_POLL)


def _taken(run: Run) -> tuple[int | None, bool]:
    """The lock if it was free, and whether there are locks."""
    try:
        return lock.take(run.directory), True
    except lock.NoLocks:
        return None, False


def _is_ending(run: Run, follower: Follower) -> bool:
    """Whether who holds the run is on the way out, or has only just begun and has not told yet."""
    return not alive(run) or run.stop_requested() or follower.update()[0].over


def _goes_on(run: Run) -> Problem:
    owner = lock.owner_of(run.directory)
    fix = say("Look at it with `tunewiz watch {name}`.", name=run.typed)
    if owner is None:
        return error("run-is-alive", say("The run {name} is already going on.", name=run.name), fix=fix)
    facts: dict[str, Any] = {"name": run.name, "pid": owner.pid, "host": owner.host or "?", "user": owner.user or "?"}
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(owner.since or owner.create_time))
    message = say(
        "The run {name} is already going on: process {pid} of {user} on {host}, since {since}.", since=since, **facts
    )
    if not owner.here:
        fix = say("If you are sure that it is gone, delete {file} and try again.", file=run.directory / lock.FILE)
    return error("run-is-alive", message, fix=fix)


def _no_locks(run: Run) -> Problem:
    message = say(
        "The file system of {folder} knows no locks: whether the run goes on already was told by its process alone, "
        "which is not seen from other machines.",
        folder=run.directory,
    )
    return warning("no-file-locks", message, fix=say("Start and resume this run on one machine only, one at a time."))


def _unwritable(run: Run, fault: OSError) -> Problem:
    if is_full(fault):
        message = say("The disk of {folder} is full.", folder=run.directory)
        fix = say("Delete old runs or checkpoints (`tunewiz runs` lists them), then try again.")
        return error("disk-full", message, fix=fix)
    message = say("The run {name} cannot be written to: {reason}.", name=run.name, reason=reason(fault))
    return error("run-not-writable", message, fix=say("It needs to be yours, and on a disk that can be written to."))
