"""The draft on disk: written soon after each change, in a thread, and at once when the screen is left."""

from __future__ import annotations

from dataclasses import replace
from threading import Lock
from typing import Final

from textual.screen import Screen
from textual.timer import Timer

from data.printable import printable
from data.problems import say
from presets.draft import Draft
from presets.drafts import Kept, discard, keep

#: Seconds without a change before it is written.
QUIET: Final = 0.25


class Keeping:
    """Keeps one draft for a screen, until it is :meth:`over`."""

    def __init__(self, screen: Screen[None], kept: Kept) -> None:
        self.kept = kept
        self._screen = screen
        self._timer: Timer | None = None
        self._open = True
        self._changed = False
        self._writing = Lock()  # threads may overlap, and share the temporary file's name

    def later(self, draft: Draft, step: str, advanced: bool) -> None:
        """Write this soon, unless something newer comes."""
        self.kept = replace(self.kept, draft=draft, step=step, advanced=advanced)
        self._changed = True
        if self._timer:
            self._timer.stop()
        self._timer = self._screen.set_timer(QUIET, self._in_thread)

    def now(self) -> None:
        """Write what is not written yet."""
        if self._timer:
            self._timer.stop()
        self._write()

    def over(self) -> None:
        """The draft became a run: it is not needed any more."""
        if self._timer:
            self._timer.stop()
        self._open = False
        discard(self.kept)

    def _in_thread(self) -> None:
        self._screen.run_worker(self._write, thread=True, exclusive=True, group="draft", exit_on_error=False)

    def _write(self) -> None:
        with self._writing:
            if not self._open or not self._changed or not self.kept.draft.answers:
                return
            self._changed = False
            try:
                keep(self.kept)
            except OSError as fault:
                told = say("The draft cannot be kept: {reason}", reason=fault.strerror or type(fault).__name__)
                self._screen.app.notify(printable(told.text()), severity="error", markup=False)
