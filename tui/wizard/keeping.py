"""What the wizard keeps on disk: drafts, written soon after each change until they train; data files used lately."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Final

from textual.screen import Screen
from textual.timer import Timer

from tunewiz import paths
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.process import alive
from tunewiz.backends.runs.run import Run
from tunewiz.data.reading.source import SAMPLE_PREFIX
from tunewiz.files import read_json, write_json
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.drafts.kept import Kept, discard, drafts, keep
from tunewiz.printable import printable
from tunewiz.problems import say

# Data files used lately, kept between sessions.


_MOST: Final = 8


def recent_file() -> Path:
    """``$XDG_STATE_HOME/tunewiz/recent.json``."""
    return paths.state() / "recent.json"


def recent() -> list[str]:
    """Absolute paths, the latest first; those that are gone are left out."""
    stored = read_json(recent_file())
    paths = [path for path in stored if isinstance(path, str)] if isinstance(stored, list) else []
    return [path for path in paths[:_MOST] if Path(path).exists()]


def remember(path: str) -> None:
    """Put ``path`` first. A place that cannot be written to costs nothing but the memory of it."""
    if path.startswith(SAMPLE_PREFIX):
        return
    try:
        write_json(recent_file(), [path, *(other for other in recent() if other != path)][:_MOST])
    except OSError:
        return


# Drafts that are not done with.


def unfinished() -> list[Kept]:
    """Drafts to go on with, the newest first.

    One whose run has begun to train has done its work and is discarded; while its run has yet to train it waits.
    """
    found = []
    for kept in drafts():
        run = Run(Path(kept.run)) if kept.run else None
        if run is not None and trained(run):
            discard(kept)
        elif run is None or not alive(run):
            found.append(kept)
    return found


def trained(run: Run) -> bool:
    """Whether the run came as far as to train: a step is on its curves, or the stage is over."""
    state = read_state(run)
    return bool(state.curves) or "train" in state.done or state.status == "finished"


# The draft on disk: written soon after each change, in a thread, and at once when the screen is left.


#: Seconds without a change before it is written.
QUIET: Final = 0.25


class Keeping:
    """Keeps one draft for a screen, until it :meth:`became` a run."""

    def __init__(self, screen: Screen[None], kept: Kept) -> None:
        self.kept = kept
        self._screen = screen
        self._timer: Timer | None = None
        self._open = True
        self._changed = False
        self._writing = Lock()  # threads may overlap, and share the temporary file's name

    def later(self, draft: Draft, step: str, advanced: bool) -> None:
        """Write this soon, unless something newer comes."""
        self.kept = replace(self.kept, draft=draft, step=step, advanced=advanced, run="")
        self._changed = True
        if self._timer:
            self._timer.stop()
        self._timer = self._screen.set_timer(QUIET, self._in_thread)

    def now(self) -> None:
        """Write what is not written yet."""
        if self._timer:
            self._timer.stop()
        self._write()

    def became(self, run: Run) -> None:
        """The draft became ``run``: it stays on disk until that trains, for a run may fail before."""
        self.kept, self._changed = replace(self.kept, run=str(run.directory)), True
        self.now()
        self._open = False

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
                message = say("The draft cannot be kept: {reason}", reason=fault.strerror or type(fault).__name__)
                self._screen.app.notify(printable(message.text()), severity="error", markup=False)
