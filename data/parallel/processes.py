"""Work shared out to processes of our own, its results in order; a killed one is told, and none outlives its parent."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any, Final, TypeVar

from tunewiz.cores import usable_cores

Task = TypeVar("Task")
Result = TypeVar("Result")

#: Each takes some 80 MB, and what they hand over has to be put together by one.
_MOST: Final = 16
#: Tasks that are done or under way beyond the one whose result is next, a process: bounds what waits in memory.
_AHEAD: Final = 2


class Killed(Exception):
    """A process ended before its work was done."""


def in_processes(
    work: Callable[[Any, Task], Result], setting: Any, tasks: Iterable[Task], count: int | None = None
) -> Generator[Result, None, None]:
    """``work(setting, task)`` for each of ``tasks``, done by ``count`` processes (default: a core each), in order.

    ``work`` is a function of a module, the others can be pickled. Raises :class:`Killed` when a process is gone, and
    what ``work`` raised. Processes end with the iterator, whatever ends it, and by themselves when this one is gone.
    """
    context = multiprocessing.get_context("spawn")  # forking is not safe beside threads, as in the full screen
    crew = [_Worker(context, work, setting) for _ in range(min(count or usable_cores(), _MOST))]
    try:
        yield from _ordered(crew, tasks)
    finally:
        for worker in crew:
            worker.end()


class _Worker:
    """A process and the pipe to it."""

    def __init__(self, context: Any, work: Callable[..., Any], setting: Any) -> None:
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other, work, setting), daemon=True)
        self.process.start()
        other.close()
        self.busy = False

    def end(self) -> None:
        self.pipe.close()
        self.process.terminate()
        self.process.join()


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
        worker.pipe.send(task)
    except (BrokenPipeError, ConnectionError) as gone:
        raise Killed from gone
    worker.busy = True


def _received(worker: _Worker) -> tuple[int, Any, BaseException | None]:
    try:
        found: tuple[int, Any, BaseException | None] = worker.pipe.recv()
    except (EOFError, ConnectionError) as gone:
        raise Killed from gone
    worker.busy = False
    return found


def _serve(pipe: Connection, work: Callable[[Any, Any], Any], setting: Any) -> None:
    """Do one task after another, until the parent closes the pipe or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all of a terminal; the parent ends its processes
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
