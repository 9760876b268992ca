"""Kills a run's child just before any of its file operations: ``with Child("torch") as child: child.run(folder, ...)``.

``python -m tests.torture.killing LIBRARY...`` imports the libraries once, then forks for every line of JSON that it
reads: ``{"run": folder, "stage": "export", "at": 7}``. The fork is the run's child, ``tunewiz.backends.runs.worker``,
and sends itself SIGKILL before the operation with that number in that stage (or the first that looks like ``before``);
or its parent does after some seconds; without any of these it goes to its end. With ``memory`` it may take that many
bytes beyond those that the fork begins with (RLIMIT_DATA). With ``filler``, a file on the run's disk, it goes on after
it has filled that disk to the last byte instead of being killed. What is written back is the exit status and all
operations of the stage that came to pass.

An operation is whatever changes the run's directory as others find it: a file opened for writing, fsync, rename (and
replace), mkdir, unlink, rmdir. A stage lasts until the next one begins, so that what is taken away after it counts.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[2]
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
#: Events of :func:`sys.addaudithook` that change a directory, and the place of ``dir_fd`` in their arguments.
_AUDITED: Final = {"os.rename": 2, "os.mkdir": 2, "os.remove": 1, "os.rmdir": 1}


class Operation(NamedTuple):
    """``what`` (open, fsync, rename, mkdir, remove, rmdir) was done to ``path``, below the run's directory."""

    what: str
    path: str
    to: str = ""


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit status (-9: killed), and the operations of the stage it was watched in."""

    status: int
    operations: list[Operation]

    def at(self, what: str, path: str, to: str = "", last: bool = False) -> int:
        """The number of the first (or last) operation of this kind on ``path`` or below it."""
        found = [
            number
            for number, one in enumerate(self.operations)
            if one.what == what and f"{one.path}/".startswith(f"{path}/") and to in ("", one.to)
        ]
        assert found, (what, path, self.operations)
        return found[-1 if last else 0]


class Child:
    """Runs children of runs one after the other; ``libraries`` are imported only once for all of them."""

    def __init__(self, *libraries: str, environment: dict[str, str] | None = None) -> None:
        own = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.killing", *libraries],
            cwd=ROOT,
            env=os.environ | own | (environment or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(120)

    def run(
        self,
        run: Path,
        stage: str = "",
        at: int | None = None,
        before: tuple[str, ...] = (),
        after: float = 0.0,
        memory: int = 0,
        filler: Path | None = None,
    ) -> Ended:
        """Let the child of the run in the folder ``run`` go to its end, or to an operation in ``stage``.

        ``at`` is the operation's number; ``before`` what it is, with patterns (of fnmatch) of its paths; ``after``
        kills it after that many seconds instead, wherever it is. ``memory``: the bytes that it may take. ``filler``:
        what is to take all of the disk at that operation, which then comes to pass.
        """
        assert self._server.stdin is not None and self._server.stdout is not None
        request = {"run": str(run), "stage": stage, "at": at, "before": before, "after": after, "memory": memory}
        request["filler"] = str(filler or "")
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        told = json.loads(self._server.stdout.readline())
        return Ended(told["status"], [Operation(*one) for one in told["operations"]])


def serve(libraries: list[str], requests: IO[str], answers: IO[str]) -> None:
    """Answer every line of ``requests``."""
    for name in libraries:
        importlib.import_module(name)
    _load([])
    for line in requests:
        with tempfile.TemporaryFile() as told:
            status = _forked(json.loads(line), told.fileno())
            told.seek(0)
            lines = [json.loads(one) for one in told.read().splitlines()]
        operations = [one for one in lines if isinstance(one, list)]
        answers.write(json.dumps({"status": status, "operations": operations}) + "\n")
        answers.flush()
        # What the one had to import on its way the next ones find; of LLaMA-Factory's libraries 900 modules.
        _load([name for one in lines if isinstance(one, dict) for name in one["imported"]])


def _load(names: list[str]) -> None:
    for name in names:
        with suppress(Exception):  # a part of a library that imports by itself only
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a collection in a child need not walk, and so copy, all that the libraries hold


def _forked(request: dict[str, Any], told: int) -> int:
    child = os.fork()
    if child:
        killing = threading.Timer(request["after"], os.kill, (child, signal.SIGKILL)) if request["after"] else None
        if killing:
            killing.start()
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # it keeps its number until the timer is off
        if killing:
            killing.cancel()
            killing.join()
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    try:
        os.setsid()
        run = Path(request["run"])
        log = os.open(run / "output.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        _Watch(run, request["stage"], request["at"], request["before"], request["filler"], told).begin()
        from tunewiz.backends.runs.worker import main

        if request["memory"]:
            limit = _data() + request["memory"]
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        before = set(sys.modules)
        status = main([str(run)])
        os.write(told, json.dumps({"imported": [name for name in sys.modules if name not in before]}).encode())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _data() -> int:
    """Bytes of data of this process, as RLIMIT_DATA counts them."""
    told = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) << 10 for line in told.splitlines() if line.startswith("VmData:"))


class _Watch:
    """Writes down the operations of a stage as lines of JSON into ``told``, and kills this process before one.

    With ``filler`` it fills the disk instead.
    """

    def __init__(self, run: Path, stage: str, at: int | None, before: list[str], filler: str, told: int) -> None:
        self._run, self._stage, self._at, self._before, self._told = run.resolve(), stage, at, before, told
        self._now, self._count, self._filler = "", 0, filler
        self._fsync = os.fsync

    def begin(self) -> None:
        """From now on."""
        from tunewiz.backends.runs.events import Stage
        from tunewiz.backends.runs.run import Run

        emit = Run.emit

        def emitted(run: Run, event: Any) -> None:
            emit(run, event)
            if isinstance(event, Stage) and not event.ended:
                inside = os.path.relpath(run.directory, self._run)
                self._now = event.name if inside == "." else f"{inside}/{event.name}"

        def fsync(file: Any) -> None:
            self._saw("fsync", self._named(file if isinstance(file, int) else file.fileno()))
            self._fsync(file)

        Run.emit = emitted  # type: ignore[method-assign]
        os.fsync = fsync
        sys.addaudithook(self._audited)

    def _audited(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._now != self._stage:
            return
        if event == "open" and isinstance(arguments[0], (str, bytes)) and arguments[2] & _WRITES:
            self._saw("open", self._named(arguments[0]))
        elif event in _AUDITED:
            place = _AUDITED[event]
            first = self._named(arguments[0], arguments[place])
            to = self._named(arguments[1], arguments[3]) if event == "os.rename" else ""
            self._saw(event.removeprefix("os."), first, to)

    def _named(self, path: Any, folder: int = -1) -> str:
        """``path`` below the run's directory; "" for any other."""
        whole = _of_handle(path) if isinstance(path, int) else Path(os.fsdecode(path))
        whole = _of_handle(folder) / whole if folder != -1 else whole
        whole = whole.parent.resolve() / whole.name
        return whole.relative_to(self._run).as_posix() if whole.is_relative_to(self._run) else ""

    def _saw(self, what: str, path: str, to: str = "") -> None:
        if self._now != self._stage or not path or path == "output.log":
            return
        alike = map(fnmatch, (what, path, to), self._before)
        if self._count == self._at or (self._before and all(alike)):
            if not self._filler:
                os.kill(os.getpid(), signal.SIGKILL)
            fill(Path(self._filler))
        self._count += 1
        os.write(self._told, (json.dumps([what, path, to]) + "\n").encode())


def fill(filler: Path) -> None:
    """Take all that is free on the disk of ``filler``, to the last byte."""
    with filler.open("wb", buffering=0) as stream:
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while True:
                    stream.write(b"\0" * size)
        os.fsync(stream.fileno())


def _of_handle(number: int) -> Path:
    return Path(f"/proc/self/fd/{number}").readlink()


if __name__ == "__main__":
    # What the libraries print while they are imported is no answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    serve(sys.argv[1:], sys.stdin, answers)
