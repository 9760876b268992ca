"""A function of ours called in a child process: it may take long, import much, and be given up at any moment.

``python -m tunewiz.errand`` reads a pickled call from stdin and writes the pickled answer to what was stdout; what
libraries print meanwhile goes to stderr, away from the screen. Every child of ours is given :func:`child_environment`.
"""

from __future__ import annotations

import atexit
import gc
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from tunewiz import user_paths_last
from tunewiz.cores import threads
from tunewiz.language import VARIABLE, current
from tunewiz.paths import cache
from tunewiz.problems import Problem, TunewizError, error, say


def child_environment() -> dict[str, str]:
    """This process's environment, the user's language, and as many threads as there are cores to use."""
    return (
        keeping_bytecode(user_paths_last(dict(os.environ)))
        | threads(os.environ)
        | {
            "PYTHONSAFEPATH": "1",  # never import a user's json.py from the working directory
            "PYTHONUTF8": "1",  # a C locale must not break Chinese text
            VARIABLE: current(),
        }
    )


def keeping_bytecode(environment: dict[str, str]) -> dict[str, str]:
    """``environment`` for a Python that compiles the large libraries once, and not at every start.

    Container images often forbid Python to write bytecode, installers leave the compiling to the first start, and
    where the libraries belong to somebody else nothing can be written beside them. Then every child compiles torch and
    transformers anew, which takes half a minute of a core: their bytecode is kept in the user's cache instead. Where it
    lies beside the libraries, or will after the first start, or a place is named already, nothing is changed.
    """
    if environment.get("PYTHONPYCACHEPREFIX") or not _compiled_every_time(environment):
        return environment
    kept = cache() / "bytecode"
    try:
        kept.mkdir(mode=0o700, parents=True, exist_ok=True)
        if kept.stat().st_uid != os.getuid():
            return environment  # whoever writes there decides what is run
    except OSError:  # no home, or a full disk: slow, and right
        return environment
    kept_there = {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept_there | {"PYTHONPYCACHEPREFIX": str(kept)}


def _compiled_every_time(environment: dict[str, str]) -> bool:
    """Whether bytecode of the large libraries is not there, and will not come to be there."""
    with suppress(ImportError, ValueError):
        torch = find_spec("torch")  # it stands for the others; finding it imports nothing
        if torch is not None and torch.origin is not None:
            folder = Path(torch.origin).parent
            compiled = folder / "__pycache__" / f"__init__.{sys.implementation.cache_tag}.pyc"
            forbidden = bool(environment.get("PYTHONDONTWRITEBYTECODE")) or not os.access(folder, os.W_OK)
            return forbidden and not compiled.exists()
    return False


def collect_rarely() -> None:
    """For a process that imports the large libraries: do not look for garbage among what they leave, over and over.

    They make a million objects that stay. Python's collector goes through all of them ten times while they are
    imported, and three times more before the process ends, which is a sixth of the processor time of a short run. What
    is young is still collected as ever, where a step's tensors are; the oldest generation every hundredth time instead
    of every tenth, and what is there at the end is left to the system.
    """
    first, second, _ = gc.get_threshold()
    gc.set_threshold(first, second, _OLDEST)
    atexit.register(gc.freeze)


#: Collections of the middle generation before one of the oldest; importing everything takes about this many.
_OLDEST: Final = 100
_POLL: Final = 0.1  # seconds between two looks whether the answer is still wanted


class GivenUp(Exception):
    """Nobody waits for the answer any more."""


class ErrandFailed(TunewizError):
    """The call raised; the problems say what."""


def send(function: str, *arguments: Any, unwanted: Callable[[], bool] = lambda: False) -> Any:
    """What ``function`` (``module:name``) returns for ``arguments``, all of it picklable. Blocks: call it in a thread.

    ``unwanted`` is asked ten times a second; once it is true the child is killed. Raises :class:`GivenUp`, or
    :class:`ErrandFailed` with the problems of the call.
    """
    child = subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=child_environment(),
    )
    call: bytes | None = pickle.dumps((function, arguments))
    while True:
        try:
            answer, told = child.communicate(call, timeout=_POLL)
            break
        except subprocess.TimeoutExpired:
            call = None
            if unwanted():
                child.kill()
                child.communicate()
                raise GivenUp from None
    return _answer(answer, told, child.returncode)


def _answer(answer: bytes, told: bytes, status: int) -> Any:
    if status == 0 and answer:
        good, value = pickle.loads(answer)
        if good:
            return value
        raise ErrandFailed(*value)
    lines = told.decode("utf-8", "replace").strip().splitlines()
    last = lines[-1] if lines else str(status)
    raise ErrandFailed(error("errand-failed", say("It failed in the background: {reason}", reason=last)))


def main() -> None:
    """Answer one call."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    function, arguments = pickle.load(sys.stdin.buffer)
    module, _, name = function.partition(":")
    try:
        result: tuple[bool, Any] = (True, getattr(import_module(module), name)(*arguments))
    except TunewizError as fault:
        problems: tuple[Problem, ...] = fault.problems
        result = (False, problems)
    pickle.dump(result, out)
    out.close()


if __name__ == "__main__":
    collect_rarely()
    main()
