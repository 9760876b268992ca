"""A function of ours called in a child process: it may take long, import much, and be given up at any moment.

``python -m tunewiz.errand`` reads a pickled call from stdin and writes the pickled answer to what was stdout; what
libraries print meanwhile goes to stderr, away from the screen. Every child of ours is given :func:`child_environment`.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from tunewiz import user_paths_last
from tunewiz.language import VARIABLE, current
from tunewiz.problems import Problem, TunewizError, error, say


def child_environment() -> dict[str, str]:
    """This process's environment, and the user's language."""
    return user_paths_last(dict(os.environ)) | {
        "PYTHONSAFEPATH": "1",  # never import a user's json.py from the working directory
        "PYTHONUTF8": "1",  # a C locale must not break Chinese text
        VARIABLE: current(),
    }


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
    main()
