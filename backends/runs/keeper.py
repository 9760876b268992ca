"""What waits for a run's child, and tells how it ended if it could not: ``python -m …runs.keeper DIRECTORY``.

A process that the kernel kills leaves no word, and only its parent learns which signal it was. The launcher may be gone
by then, so the parent is this one: small, in the session of the run, doing nothing but waiting.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Final

import psutil

from tunewiz.backends.machine import places
from tunewiz.backends.machine.hardware import Sampler, gpus, numbers
from tunewiz.backends.machine.places import Holder, Place, Turn, told
from tunewiz.backends.outside.copying import copying
from tunewiz.backends.outside.finishing import finish
from tunewiz.backends.runs import lock
from tunewiz.backends.runs.ends import AGAIN, ended, kernel_kills, kernel_kills_since, put_in_order
from tunewiz.backends.runs.events import Failed, Sampled
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.launching import TURN
from tunewiz.backends.runs.process import write_identity
from tunewiz.backends.runs.run import Run
from tunewiz.problems import ExitCode, Problem, note, say

#: Seconds between two samples of the machine: at first, so that a run of minutes has a curve, and after :data:`_CLOSE`
#: of them, so that a month takes no more than some ten MB.
_SOON, _LATER, _CLOSE = 5.0, 20.0, 240
_LOOK: Final = 1.0  # seconds between two looks whether it is the run's turn
_NAMED: Final = 8  # of those before it who are named


def main(arguments: list[str]) -> int:
    """Start the child for the run in the directory ``arguments[0]``, wait for it, and return its exit code."""
    run = Run(Path(arguments[0]).absolute())
    held = lock.inherited()
    _ignore_signals(run)
    place = _place(run)
    if place is None:
        run.end_stopped()
        put_in_order(run)
        code = int(ExitCode.STOPPED)
    else:
        with copying(run):
            code = _carried(run, held, place)
            for descriptor in place.descriptors:  # what comes now computes nothing
                os.close(descriptor)
    finish(run, read_state(run), code)
    return code


def _carried(run: Run, held: int | None, place: Place) -> int:
    """Wait for the child, and for the next one where it asks for one; the exit code, told in the events."""
    passed = (*place.descriptors, *(() if held is None else (held,)))
    while True:
        kills = kernel_kills()
        own = os.environ | place.environment() | ({} if held is None else {lock.VARIABLE: str(held)})
        child = subprocess.Popen(
            [sys.executable, "-m", "tunewiz.backends.runs.worker", str(run.directory)],
            env=own,
            pass_fds=passed,
        )
        with suppress(OSError):  # on a full disk who launched this is still on record
            write_identity(run, child.pid, os.getpid())
        with _sampling(run):
            _, raw, usage = os.wait4(child.pid, 0)
        status = os.waitstatus_to_exitcode(raw)
        killed = kernel_kills_since(kills)
        if not _goes_on(run, status, killed):
            # ru_maxrss is in KiB on Linux (getrusage(2)).
            return _tell(run, status, usage.ru_maxrss << 10, killed)
        _end_orphans()  # the next child needs the memory that they hold


def _place(run: Run) -> Place | None:
    """Where the run computes, once it is its turn; ``None``: it was taken out of the queue before that."""
    turn, waited = os.environ.get(TURN, ""), False
    wanted = places.wish(run, bool(turn))
    if wanted is None:
        return Place()
    try:
        with closing(Turn(wanted, int(turn) if turn.isdecimal() else None)) as mine:
            while True:
                place = mine.take()
                if place is not None:
                    return place
                if run.stop_requested():
                    return None
                if not waited:
                    waited = True
                    run.notice(_waits(run, mine.before()))
                time.sleep(_LOOK)
    except OSError:
        return Place()  # nothing is shared here: it computes as if it were alone


def _waits(run: Run, before: Sequence[Holder]) -> Problem:
    fix = say("It begins by itself. `tunewiz stop {name}` takes it out of the queue.", name=run.typed)
    if not before:
        return note("run-waits", say("The run waits: others compute on every GPU that it may use."), fix=fix)
    names = ", ".join(told(one) for one in before[:_NAMED])
    more = f", … ({len(before)})" if len(before) > _NAMED else ""
    return note("run-waits", say("The run waits for its turn, after {names}.", names=names + more), fix=fix)


@contextmanager
def _sampling(run: Run) -> Iterator[None]:
    """Tell of the machine, in a thread, while the child is waited for."""
    over = threading.Event()
    thread = threading.Thread(target=_sample, args=(run, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(_SOON)  # a driver may hang; the end of the run is told all the same


def _sample(run: Run, over: threading.Event) -> None:
    sampler, taken = Sampler(run.directory, run), 0
    with suppress(OSError):  # the folder may be gone: who waits goes on waiting
        while not over.wait(_SOON if taken < _CLOSE else _LATER):
            found, taken = numbers(sampler.take()), taken + 1
            if not over.is_set():
                run.emit(Sampled(values=found))
    sampler.close()


def _goes_on(run: Run, status: int, kills: int | None) -> bool:
    """Whether another child takes the run on, in less memory: its preset says how."""
    if status == AGAIN:
        return True
    if status == -signal.SIGKILL and kills and not gpus():  # on a GPU a smaller batch saves no memory of the host
        with suppress(Exception):  # the end is told if even this fails
            from tunewiz.backends.training.adjusting import adjust  # what waits for hours stays small

            return adjust(run, on_cpu=True)
    return False


def _ignore_signals(run: Run) -> None:
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)

    def stop(_number: int, _frame: FrameType | None) -> None:
        # The child has it too where a whole group is told, but not where somebody picked this process.
        with suppress(OSError):
            run.ask_to_stop()

    signal.signal(signal.SIGTERM, stop)


def _tell(run: Run, status: int, peak: int, kills: int | None) -> int:
    """Tell of an end that the child did not tell; the exit code."""
    state = read_state(run)
    if state.over and status == state.exit_code:
        return status
    _end_orphans()
    if state.over:
        code = state.exit_code if state.exit_code is not None else int(ExitCode.FAILED)
    else:
        problem, code = ended(run, status, peak, kills)
        with suppress(OSError):  # the folder may be gone
            run.emit(Failed(exit_code=int(code), problems=(problem.record(),)))
    put_in_order(run)
    return int(code)


def _end_orphans() -> None:
    """End what the child started and left behind: loaders and pools wait for ever for a parent that was killed."""
    own = os.getpid()
    # Inside another run only the group is this one's; started by hand neither is, for both are a shell's.
    of = os.getsid if os.getsid(0) == own else os.getpgid
    if of(0) != own:
        return
    for other in psutil.process_iter():
        with suppress(OSError, psutil.Error):
            if other.pid != own and of(other.pid) == own:
                other.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
