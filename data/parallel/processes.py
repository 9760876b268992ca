"""Work shared out to processes of our own, its results in order; a killed one is told, and none outlives its parent.

They are started by a command, not by ``multiprocessing``: that imports a user's own script anew in each of them, which
needs a ``__main__`` guard there, and forking is not safe beside threads, as in the full screen.
"""

from __future__ import annotations

import pickle
import random
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any, Final, TypeVar

from tunewiz.cores import usable_cores
from tunewiz.errand import child_environment

Task = TypeVar("Task")
Result = TypeVar("Result")

#: What a process begins with: it finds modules where this one does, and is told the rest through a socket.
_START: Final = (
    "import sys; sys.path[:] = sys.argv[2:]; from tunewiz.data.parallel.processes import serve; serve(int(sys.argv[1]))"
)
#: Libraries of numbers keep buffers for each of their threads, of which these processes need no second one.
_ONE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
#: Each takes some 60 MB, and what they hand over has to be put together by one.
_MOST: Final = 16
#: Tasks that are done or under way beyond the one whose result is next, a process: bounds what waits in memory.
_AHEAD: Final = 2


class Killed(Exception):
    """A process ended before its work was done."""


def in_processes(
    work: Callable[[Any, Task], Result], setting: Any, tasks: Iterable[Task], count: int | None = None
) -> Generator[Result, None, None]:
    """``work(setting, task)`` for each of ``tasks``, done by ``count`` processes (default: a core each), in order.

    ``work`` is a function of a module other than ``__main__``, the others can be pickled. Raises :class:`Killed` when a
    process is gone, and what ``work`` raised. Processes end with the iterator, whatever ends it, and by themselves when
    this one is gone.
    """
    begun = pickle.dumps((work, setting))
    crew: list[_Worker] = []
    # What one of them hashes the others have to hash alike; what anybody could foresee could be made to collide.
    seed = str(random.randrange(1, 1 << 32))
    try:
        crew += [_Worker(begun, seed) for _ in range(min(count or usable_cores(), _MOST))]
        yield from _ordered(crew, tasks)
    finally:
        for worker in crew:
            worker.end()


class _Worker:
    """A process and the pipe to it."""

    def __init__(self, begun: bytes, seed: str) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _START, str(theirs.fileno()), *sys.path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=child_environment() | _ONE_THREAD | {"PYTHONHASHSEED": seed},
                pass_fds=[theirs.fileno()],
            )
        self.pipe = Connection(ours.detach())
        self.busy = False
        self._begun: bytes | None = begun

    def send(self, task: Any) -> None:
        """Hand over a task, the first time with what it needs."""
        if self._begun is not None:
            self.pipe.send_bytes(self._begun)
            self._begun = None
        self.pipe.send(task)
        self.busy = True

    def end(self) -> None:
        self.pipe.close()
        self.process.terminate()
        self.process.wait()


def _ordered(crew: list[_Worker], tasks: Iterable[Task]) -> Iterator[Any]:
    coming = enumerate(tasks)
    waiting: dict[int, Any] = {}
    under_way: deque[_Worker] = deque()
    given = told = 0
    more = True
    while more or under_way or waiting:
        for worker in crew:
            if not more or worker.busy or given - told >= _AHEAD * len(crew):
                continue
            task = next(coming, None)
            if task is None:
                more = False
                break
            _send(worker, task)
            under_way.append(worker)
            given += 1
        while told in waiting:
            yield waiting.pop(told)
            told += 1
        if under_way:
            ready = wait([worker.pipe for worker in under_way])
            for worker in [worker for worker in under_way if worker.pipe in ready]:
                number, found, fault = _received(worker)
                under_way.remove(worker)
                if fault is not None:
                    raise fault
                waiting[number] = found


def _send(worker: _Worker, task: Any) -> None:
    try:
        worker.send(task)
    except (BrokenPipeError, ConnectionError) as gone:
        raise Killed from gone


def _received(worker: _Worker) -> tuple[int, Any, BaseException | None]:
    try:
        found: tuple[int, Any, BaseException | None] = worker.pipe.recv()
    except (EOFError, ConnectionError) as gone:
        raise Killed from gone
    worker.busy = False
    return found


def serve(descriptor: int) -> None:
    """Do one task after another, until the parent closes the socket or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all of a terminal; the parent ends its processes
    pipe = Connection(descriptor)
    try:
        work, setting = pickle.loads(pipe.recv_bytes())
    except (EOFError, OSError):
        return
    while True:
        try:
            number, task = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer: tuple[int, Any, Exception | None] = (number, work(setting, task), None)
        except Exception as fault:  # noqa: BLE001  whatever it is, the parent raises it
            answer = (number, None, fault)
        try:
            pipe.send(answer)
        except OSError:
            return
