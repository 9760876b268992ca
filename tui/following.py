"""Following a run from the command line until it ends or the user has seen enough."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Final

from backends.runs.events import Event
from backends.runs.follow import Follower
from backends.runs.process import ask_to_stop, kill
from backends.runs.state import RunState
from data.language import translate
from tui.lines import RunLines

INTERVAL: Final = 0.25  # seconds between two looks


Show = Callable[[RunState, Sequence[Event]], None]


def follow(follower: Follower, show: Show, child: subprocess.Popen[bytes] | None = None) -> RunState:
    """``show`` each new state of a run until it is over; the last one. ``child``: if this process launched it."""
    while True:
        if child is not None:
            child.poll()  # reaps it, so that it is not taken for alive
        state, events = follower.update()
        show(state, events)
        if state.over:
            return state
        time.sleep(INTERVAL)


def follow_in_charge(follower: Follower, lines: RunLines, child: subprocess.Popen[bytes]) -> RunState:
    """Follow a run launched in the foreground: Ctrl-C (or SIGTERM) saves and stops it, a second one kills it."""
    asked = False

    def stop() -> None:
        nonlocal asked
        if asked:
            kill(follower.run)
            return
        asked = True
        ask_to_stop(follower.run)
        lines.say(translate("Stopping: the run saves a checkpoint first. Press Ctrl-C again to end it at once."))

    with _on_signals(stop):
        return follow(follower, lines.show, child)


@contextmanager
def _on_signals(action: Callable[[], None]) -> Iterator[None]:
    def act(_number: int, _frame: FrameType | None) -> None:
        action()

    before = {number: signal.signal(number, act) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
