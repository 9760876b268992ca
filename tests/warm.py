"""Children that find the libraries imported already: forks of one warm process instead of new interpreters.

Importing torch, transformers and what builds on them takes ten seconds of a core, each time, and a run's child trains
a tiny model in one. Where the interpreter's start is not what a test is about, :class:`Warm` stands in for
``subprocess.Popen``: ``python -m tunewiz...`` is answered by a fork of a server that has imported everything and run
nothing. All else is as ever: a process of its own with its own id, session, group, descriptors, signals, environment
and exit status. The children of such a child are forked from it the same way, the keeper from the command and the
run's child from the keeper.

What is not ``python -m`` of ours, or asks for another environment (``LD_LIBRARY_PATH``, a folder on ``PYTHONPATH``),
starts an interpreter. Where only what the libraries read at their import differs (``HF_HOME``), the fork is one of a
second server, which has imported what is ours and light.

``python -m tests.warm SOCKET OWNER [light]`` is a server. It ends once the process ``OWNER`` is gone.
"""

from __future__ import annotations

import array
import atexit
import fcntl
import gc
import importlib
import io
import os
import pickle
import pkgutil
import random
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import types
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import Any, Final, NoReturn

ROOT: Final = Path(__file__).resolve().parents[1]
#: The command as a test types it.
COMMAND: Final = "import sys; from tunewiz.tui.cli import main; sys.exit(main())"
#: What else is run as ``python -c``: programs that find nothing of ours imported.
PROGRAMS: set[str] = set()
#: In the environment: the server's socket, and the process with which it ends.
_SOCKET, _OWNER = "TUNEWIZ_TEST_WARM", "TUNEWIZ_TEST_WARM_OWNER"
_MODULES: Final = ("tunewiz.", "tests.children.", "tests.torture.killing.")
_LIGHT: Final = ("textual.app", "typer", "psutil", "pyarrow.parquet", "openpyxl")
_HEAVY: Final = (
    "torch", "transformers", "sentence_transformers", "FlagEmbedding", "peft", "datasets", "accelerate", "faiss",
    "matplotlib.figure", "llamafactory.train.tuner", "fastapi", "uvicorn",
)  # fmt: skip
#: What an interpreter, and what the libraries read while they start: where these differ, a fork is another process.
_EARLY: Final = ("LD_", "OMP_", "MKL_", "KMP_", "OPENBLAS_", "MALLOC_")
_AT_IMPORT: Final = ("HF_", "TRANSFORMERS_", "TORCH", "XDG_CACHE")
_OFFLINE: Final = "HF_HUB_OFFLINE"  # alone of these is set in a fork
_SIGNATURE: Final = signature(subprocess.Popen._execute_child)  # type: ignore[attr-defined]
#: Of a child's three pipes: its end and ours.
_ENDS: Final = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
_NUMBER: Final = 8  # bytes of a number on the line
_FAR: Final = 200  # descriptors beyond those that a child is given


def as_from_a_terminal() -> None:
    """Undo what ``nohup`` or a background job hands down: ignored signals."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@dataclass
class _Wanted:
    """A child as ``subprocess`` was asked for it.

    ``light``: of the second server; ``ignored``: signals; ``standard``: what it has as 0, 1 and 2; ``passed``: what
    else.
    """

    arguments: list[str]
    environment: dict[str, str]
    folder: str
    light: bool
    session: bool
    group: int
    ignored: tuple[int, ...]
    passed: tuple[int, ...]
    standard: list[int] = field(default_factory=list)


class Warm(subprocess.Popen[Any]):
    """``subprocess.Popen``, with forks where they do. :attr:`served`: by the server, and not by this process."""

    served = True
    fresh = True  #: whether every child is to be an interpreter of its own

    _line: socket.socket | None = None

    def _execute_child(self, *given: Any, **named: Any) -> None:
        asked = _SIGNATURE.bind(self, *given, **named).arguments
        wanted = None if Warm.fresh else _wanted(asked)
        if wanted is None:
            super()._execute_child(*given, **named)  # type: ignore[misc]
            return
        ends = [asked[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        wanted.standard = [number if one == -1 else one for number, one in enumerate(ends)]
        if Warm.served:
            self._line, self.pid = _served(wanted)
        else:
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    stream.flush()
            self.pid = os.fork()
            if not self.pid:
                _become(wanted)
        self._child_created = True
        self._close_pipe_fds(*(asked[name] for name in _ENDS))  # type: ignore[attr-defined]

    def _try_wait(self, flags: int) -> tuple[int, int]:
        if self._line is None:
            return super()._try_wait(flags)  # type: ignore[misc, no-any-return]
        try:
            told = self._line.recv(_NUMBER, socket.MSG_DONTWAIT if flags & os.WNOHANG else socket.MSG_WAITALL)
        except BlockingIOError:
            return 0, 0
        self._line.close()
        self._line = None
        return self.pid, int.from_bytes(told, "big") if told else signal.SIGKILL

    def _internal_poll(self, _deadstate: int | None = None, *more: Any, **named: Any) -> int | None:
        if self._line is None:
            return super()._internal_poll(_deadstate, *more, **named)  # type: ignore[misc, no-any-return]
        if self.returncode is None and self._waitpid_lock.acquire(False):  # type: ignore[attr-defined]
            try:
                ended, status = self._try_wait(os.WNOHANG)
                if ended:
                    self._handle_exitstatus(status)  # type: ignore[attr-defined]
            finally:
                self._waitpid_lock.release()  # type: ignore[attr-defined]
        return self.returncode


def _wanted(asked: dict[str, Any]) -> _Wanted | None:
    """The child that is asked for, if a fork can be it."""
    arguments = asked["args"]
    odd = asked["shell"] or not asked["close_fds"] or asked["executable"] not in (None, sys.executable)
    odd = odd or asked["umask"] != -1 or any(asked[name] is not None for name in ("uid", "gid", "gids"))
    if odd or asked["preexec_fn"] not in (None, as_from_a_terminal) or isinstance(arguments, (str, bytes)):
        return None
    words = [os.fspath(word) for word in arguments]
    if len(words) < 3 or words[0] != sys.executable or (threading.active_count() > 1 and not Warm.served):
        return None
    if words[1] == "-m":
        known = f"{words[2]}.".startswith(_MODULES)
    else:
        known = words[1] == "-c" and (words[2] == COMMAND or words[2] in PROGRAMS)
    environment = dict(os.environ if asked["env"] is None else asked["env"])
    folder = os.fspath(asked["cwd"] or Path.cwd())
    if not known or _early(environment) != _early(_ENVIRONMENT) or not Path(folder).is_dir():
        return None
    light = _named(environment, _AT_IMPORT) != _named(_ENVIRONMENT, _AT_IMPORT)
    if light and not Warm.served and "huggingface_hub" in sys.modules:
        return None
    reset = (signal.SIGINT, signal.SIGHUP) if asked["preexec_fn"] else ()
    ignored = {one for one in signal.valid_signals() if signal.getsignal(one) == signal.SIG_IGN}
    return _Wanted(
        words[1:],
        environment,
        folder,
        light=light,
        session=asked["start_new_session"],
        group=asked.get("process_group", -1),
        ignored=tuple(ignored.difference(reset)),
        passed=tuple(map(int, asked["pass_fds"])),
    )


def _early(environment: Any) -> tuple[dict[str, str], set[Path]]:
    """What of ``environment`` the interpreter and the libraries read while they start."""
    lists = [environment.get(name, "") for name in ("PYTHONPATH", "TUNEWIZ_PYTHONPATH")]
    folders = {Path(one).absolute() for each in lists for one in each.split(os.pathsep) if one}
    return _named(environment, _EARLY), folders


def _named(environment: Any, beginnings: tuple[str, ...]) -> dict[str, str]:
    return {one: value for one, value in environment.items() if one.startswith(beginnings) and one != _OFFLINE}


# What asks the server.

_ENVIRONMENT: dict[str, str] = {}


def begin() -> None:
    """From now on children of this process are warm where :attr:`Warm.fresh` does not say otherwise."""
    global _ENVIRONMENT
    if _SOCKET not in os.environ:
        # The name of a socket has room for a hundred characters.
        folder = tempfile.mkdtemp(prefix="warm-", dir="/tmp" if Path("/tmp").is_dir() else None)
        atexit.register(_emptied, folder)
        os.environ[_SOCKET] = f"{folder}/socket"
        os.environ[_OWNER] = str(os.getpid())
    _ENVIRONMENT = dict(os.environ)  # before a test changes it
    Warm.served = Warm.fresh = True
    subprocess.Popen = Warm  # type: ignore[misc]


def _emptied(folder: str) -> None:
    """Remove the folder of sockets where no server was started; a server does so itself."""
    with suppress(OSError):
        Path(folder).rmdir()


def _served(wanted: _Wanted) -> tuple[socket.socket, int]:
    """A child of the server: the line on which its end will be told, and its id."""
    line = _connected(wanted.light)
    descriptors = [*wanted.standard, *wanted.passed]
    message = pickle.dumps(wanted)
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
    line.sendmsg([len(message).to_bytes(_NUMBER, "big")], [rights])
    line.sendall(message)
    told = line.recv(_NUMBER, socket.MSG_WAITALL)
    if not told:
        raise OSError("the warm process is gone")
    return line, int.from_bytes(told, "big")


def _connected(light: bool) -> socket.socket:
    """A line to the server, which is started where nobody has yet: the first to ask takes the lock."""
    path = os.environ[_SOCKET] + "-light" * light
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with suppress(OSError):
        line.connect(path)
        return line
    with Path(f"{path}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with suppress(OSError):
            line.connect(path)
            return line
        with Path(f"{path}.log").open("ab") as log:
            server = _started([path, os.environ[_OWNER], *(["light"] if light else [])], log)
        end = time.monotonic() + 300
        while True:
            with suppress(OSError):
                line.connect(path)
                return line
            assert server.poll() is None and time.monotonic() < end, Path(f"{path}.log").read_text("utf-8")
            time.sleep(0.05)


def _started(arguments: list[str], log: Any) -> subprocess.Popen[Any]:
    command = [sys.executable, "-m", "tests.warm", *arguments]
    own = _ENVIRONMENT | {"PYTHONUTF8": "1"}
    return Warm.__mro__[1](  # type: ignore[no-any-return]
        command, cwd=ROOT, env=own, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        preexec_fn=as_from_a_terminal,
    )  # fmt: skip


# The server.


def serve(path: str, owner: int, light: bool = False) -> None:
    """Fork a child for every line, and tell on it how the child ended, until ``owner`` is gone."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(path)
    listening.listen(64)
    with selectors.DefaultSelector() as waiting:
        waiting.register(os.pidfd_open(owner), selectors.EVENT_READ, None)
        _import(_LIGHT if light else _LIGHT + _HEAVY)  # who asks meanwhile waits
        waiting.register(listening, selectors.EVENT_READ, "asked")
        while True:
            for key, _ in waiting.select():
                if key.data is None:
                    for name in ("", ".lock", ".log"):
                        Path(path + name).unlink(missing_ok=True)
                    with suppress(OSError):  # the other server's
                        Path(path).parent.rmdir()
                    return
                if key.data == "asked":
                    _answer(listening, waiting)
                else:
                    waiting.unregister(key.fd)
                    os.close(key.fd)
                    _tell_end(*key.data)


def _answer(listening: socket.socket, waiting: selectors.BaseSelector) -> None:
    line, _ = listening.accept()
    try:
        wanted, received = _read(line)
    except (EOFError, pickle.UnpicklingError):  # who asked is gone
        line.close()
        return
    child = os.fork()
    if not child:
        wanted.standard, wanted.passed = _placed(received, wanted.passed)
        _become(wanted)
    for descriptor in received:
        os.close(descriptor)
    with suppress(OSError):  # who asked may be gone
        line.sendall(child.to_bytes(_NUMBER, "big"))
    waiting.register(os.pidfd_open(child), selectors.EVENT_READ, (child, line))


def _tell_end(child: int, line: socket.socket) -> None:
    _, status = os.waitpid(child, 0)
    with line, suppress(OSError):  # who asked may be gone
        line.sendall(status.to_bytes(_NUMBER, "big"))


def _read(line: socket.socket) -> tuple[_Wanted, list[int]]:
    numbers = array.array("i")
    size, told, _, _ = line.recvmsg(_NUMBER, socket.CMSG_LEN(64 * numbers.itemsize))
    for _, _, data in told:
        numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
    message = bytearray()
    while len(message) < int.from_bytes(size, "big"):
        part = line.recv(1 << 16)
        if not part:
            break
        message += part
    return pickle.loads(message), list(numbers)


def _placed(received: list[int], passed: tuple[int, ...]) -> tuple[list[int], tuple[int, ...]]:
    """Give what was received the numbers that it has with who asked."""
    far = [fcntl.fcntl(one, fcntl.F_DUPFD, _FAR) for one in received]
    for number, one in zip(passed, far[3:], strict=True):
        os.dup2(one, number)
    return far[:3], passed


def _import(libraries: tuple[str, ...]) -> None:
    """The libraries, and every module of ours that asks for no words while it is imported."""
    for name in libraries:
        with suppress(ImportError):  # an extra that is not installed
            importlib.import_module(name)
    for room in ("data", "presets", "backends"):
        package = importlib.import_module(f"tunewiz.{room}")
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            with suppress(Exception):  # a module that imports in its own child only
                importlib.import_module(found.name)
    gc.collect()
    gc.freeze()  # a collection in a child need not walk, and so copy, all that the libraries hold


# The child.


def _become(wanted: _Wanted) -> NoReturn:
    """Be the child: never returns."""
    global _ENVIRONMENT
    status = 1
    try:
        gc.freeze()
        if wanted.session:
            os.setsid()
        if wanted.group != -1:
            os.setpgid(0, wanted.group)
        _descriptors(wanted)
        _signals(wanted.ignored)
        os.environ.clear()
        os.environ.update(wanted.environment)
        _ENVIRONMENT = wanted.environment
        os.chdir(wanted.folder)
        if _OFFLINE in wanted.environment and "huggingface_hub.constants" in sys.modules:
            sys.modules["huggingface_hub.constants"].HF_HUB_OFFLINE = wanted.environment[_OFFLINE] == "1"  # type: ignore[attr-defined]
        random.seed()
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed()
        Warm.served, Warm.fresh = False, False
        status = _run(wanted.arguments)
    except BaseException:  # noqa: BLE001  as the interpreter does
        traceback.print_exc()
    finally:
        with suppress(BaseException):
            threading._shutdown()  # type: ignore[attr-defined]
        with suppress(BaseException):
            atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(BaseException):
                stream.flush()
        os._exit(status)


def _descriptors(wanted: _Wanted) -> None:
    """Those that the child is given, and no others."""
    far = [fcntl.fcntl(one, fcntl.F_DUPFD, _FAR) for one in wanted.standard]
    for number, one in enumerate(far):
        os.dup2(one, number)
    for number in wanted.passed:
        os.set_inheritable(number, True)
    kept = {0, 1, 2, *wanted.passed}
    for one in list(Path("/proc/self/fd").iterdir()):
        if int(one.name) not in kept:
            with suppress(OSError):
                os.close(int(one.name))
    unbuffered = bool(wanted.environment.get("PYTHONUNBUFFERED"))
    sys.stdin = sys.__stdin__ = _stream(0, "rb", "surrogateescape", False)  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = _stream(1, "wb", "surrogateescape", unbuffered)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _stream(2, "wb", "backslashreplace", unbuffered)  # type: ignore[misc]


def _stream(number: int, mode: str, errors: str, unbuffered: bool) -> io.TextIOWrapper:
    """What an interpreter opens for a descriptor that it finds."""
    binary: Any = open(number, mode, buffering=0 if unbuffered else -1, closefd=False)  # noqa: SIM115
    lines = number == 2 or os.isatty(number)
    newline = None if number == 0 else "\n"
    return io.TextIOWrapper(binary, "utf-8", errors, newline, line_buffering=lines, write_through=unbuffered)


def _signals(ignored: tuple[int, ...]) -> None:
    """What is handled is the system's again, what is ignored stays so; then what an interpreter sets as it starts."""
    for number in signal.valid_signals():
        with suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
    if signal.SIGINT not in ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _run(arguments: list[str]) -> int:
    """Be ``python ARGUMENTS``; the exit status."""
    kind, what, *rest = arguments
    sys.argv = [kind, *rest]
    warnings.filterwarnings("ignore", ".*found in sys.modules", RuntimeWarning)  # imported by the server
    if kind == "-c" and what != COMMAND:
        for name in [name for name in sys.modules if name.partition(".")[0] in ("tunewiz", "tests")]:
            del sys.modules[name]
    try:
        if kind == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            main = sys.modules["__main__"] = types.ModuleType("__main__")
            exec(compile(what, "<string>", "exec"), main.__dict__)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return (end.code or 0) & 0xFF
        print(end.code, file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        traceback.print_exc()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    return 0


if __name__ == "__main__":
    from tests import warm  # what is pickled is of that module

    warm.begin()
    warm.serve(sys.argv[1], int(sys.argv[2]), light="light" in sys.argv[3:])
