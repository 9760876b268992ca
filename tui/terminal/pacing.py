"""When work is done that nobody waits for: the looks of a screen's thread, and Python's looking for garbage."""

from __future__ import annotations

import gc
import sys
import threading
import time
from typing import Any, Final

from textual.app import App
from textual.screen import Screen
from textual.timer import Timer

# When a thread of a screen looks again: at intervals, not while the screen is covered, never after it is gone.


_DOZE: Final = 0.2  # seconds between two looks whether a covered screen is back


class Turns:
    """Shared by a screen, which says how it stands, and its thread, which asks :meth:`next` before every look."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._covered = False
        self._last = 0.0

    def cover(self) -> None:
        """Another screen is on top: looking would be for nothing."""
        self._covered = True

    def uncover(self) -> None:
        """The screen is seen again."""
        self._covered = False

    def end(self) -> None:
        """The screen is gone."""
        self._over.set()

    def next(self, seconds: float) -> bool:
        """Wait until ``seconds`` have passed since the last turn; whether to look. The first turn is at once."""
        wait = self._last + seconds - time.monotonic()
        while not self._over.wait(max(0.0, wait)):
            if not self._covered:
                self._last = time.monotonic()
                return True
            wait = _DOZE
        return False


# When Python looks for garbage: not while somebody types.
#
# A full collection passes over every object that is alive, those of all imported modules among them: 100 ms and more in
# which no key is answered, every other second while a screen is drawn a lot. What is alive once a screen stands will
# mostly stay, so it is set aside (``gc.freeze``) and later collections look at what came after it: 2 to 5 ms.


#: Seconds after the last change of screens: by then the new one is drawn, and keys in quick succession are over.
SETTLED: Final = 1.0
#: Seconds after which a thread that computes lets another one go on. Python's own 5 ms are what a key waits for
#: whenever the thread of the screen has slept or written while another one reads a run.
SWITCH: Final = 0.0005


class Collecting:
    """Threads take short turns, and what is alive is set aside.

    The latter each time anew when another screen stands, so that closed ones are let go.
    """

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._timer: Timer | None = None
        sys.setswitchinterval(SWITCH)
        app.screen_change_signal.subscribe(app, self._changed)
        self._changed()

    def _changed(self, _screen: Screen[Any] | None = None) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self._app.set_timer(SETTLED, set_aside)


def set_aside() -> None:
    """Collect what is no longer in use; what is goes out of the sight of later collections."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
