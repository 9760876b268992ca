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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import psutil

from tunewiz.backends.machine.hardware import Sampler, gpus, numbers
from tunewiz.backends.runs import lock
from tunewiz.backends.runs.ends import AGAIN, ended, kernel_kills, kernel_kills_since, put_in_order
from tunewiz.backends.runs.events import Failed, Sampled
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.process import write_identity
from tunewiz.backends.runs.run import Run
from tunewiz.problems import ExitCode

#: Seconds between two samples of the machine: at first, so that a run of minutes has a curve, and after :data:`_CLOSE`
#: of them, so that a month takes no more than some ten MB.
_SOON, _LATER, _CLOSE = 5.0, 20.0, 240


def main(arguments: list[str]) -> int:
    """Start the child for the run in the directory ``arguments[0]``, wait for it, and return its exit code."""
    run = Run(Path(arguments[0]).absolute())
    held = lock.inherited()
    _ignore_signals(run)
    while True:
        kills = kernel_kills()
        own = dict(os.environ) if held is None else os.environ | {lock.VARIABLE: str(held)}
        child = subprocess.Popen(
            [sys.executable, "-m", "tunewiz.backends.runs.worker", str(run.directory)],
            env=own,
            pass_fds=() if held is None else (held,),
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
    if os.getsid(0) != own:
        return  # started by hand: the session is a shell's
    for other in psutil.process_iter():
        with suppress(OSError, psutil.Error):
            if other.pid != own and os.getsid(other.pid) == own:
                other.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
