"""When a thread of a screen looks again: at intervals, not while the screen is covered, never after it is gone."""

from __future__ import annotations

import threading
import time
from typing import Final

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
