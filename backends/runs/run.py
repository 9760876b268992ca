"""A run is a directory, and the only state there is.

``preset.yaml run.json events.jsonl output.log data/ checkpoints/ model/ report/`` — see ARCHITECTURE.md.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.ranks.place import here
from tunewiz.backends.runs.events import Event, Failed, Finished, Noticed, Progress, Sampled, Stopped
from tunewiz.files import PRIVATE, append_line, is_full, set_aside
from tunewiz.printable import printable
from tunewiz.problems import Problem

RESERVE: Final = 1 << 20  # bytes kept for the last word of a run whose disk is full
_LAST: Final = (Finished, Failed, Stopped)


class StopRequested(Exception):
    """The user asked the run to stop; raised at a point where nothing is lost."""


@dataclass(frozen=True)
class Run:
    """A run's directory and what is in it. Writers are in the child, readers anywhere."""

    directory: Path

    @property
    def name(self) -> str:
        """The directory's name."""
        return self.directory.name

    @property
    def typed(self) -> str:
        """The name as it is typed in a command: quoted where a shell needs it, harmless for a terminal."""
        return shlex.quote(printable(self.name))

    @property
    def preset_file(self) -> Path:
        """The preset as run."""
        return self.directory / "preset.yaml"

    @property
    def record_file(self) -> Path:
        """Versions, hardware, data hashes, command, pid and start time."""
        return self.directory / "run.json"

    @property
    def events_file(self) -> Path:
        """The facts, one JSON object a line."""
        return self.directory / "events.jsonl"

    @property
    def log_file(self) -> Path:
        """Whatever the libraries print."""
        return self.directory / "output.log"

    @property
    def stop_file(self) -> Path:
        """Its presence asks the child to save and leave."""
        return self.directory / "stop"

    @property
    def reserve_file(self) -> Path:
        """Space for the last word, as long as a child is at work."""
        return self.directory / "reserve"

    @property
    def data(self) -> Path:
        """The prepared data, and caches that belong to it."""
        return self.directory / "data"

    @property
    def checkpoints(self) -> Path:
        """Training checkpoints."""
        return self.directory / "checkpoints"

    @property
    def model(self) -> Path:
        """The exported model."""
        return self.directory / "model"

    @property
    def report(self) -> Path:
        """report.md, report.html, metrics.json and pictures."""
        return self.directory / "report"

    def whereabouts(self) -> dict[str, Any]:
        """What another process makes this run from again, as JSON."""
        return {"directory": str(self.directory)}

    def relative(self, path: Path) -> str:
        """``path`` as it is written in events: relative to the directory."""
        return os.path.relpath(path, self.directory)

    def emit(self, event: Event) -> None:
        """Append ``event``; one ``write`` call a line, so that a reader sees whole lines.

        All but progress and samples is on disk when this returns: what comes after may delete what came before. On a
        full disk those go untold, the last word takes the space that was set aside for it, and any other event raises
        ``OSError``: what cannot be told must not be counted as done.
        """
        if not here().first:  # one process of a training tells
            return
        lasting = not isinstance(event, (Progress, Sampled))
        try:
            append_line(self.events_file, event.line(), lasting)
        except OSError as fault:
            if is_full(fault) and not lasting:
                return
            if not is_full(fault) or not isinstance(event, _LAST) or not self.release():
                raise
            append_line(self.events_file, event.line(), lasting)

    def reserve(self) -> None:
        """Set space aside for the last word. Raises ``OSError`` where there is none."""
        set_aside(self.reserve_file, RESERVE)

    def release(self) -> bool:
        """Give the space back; whether there was some."""
        try:
            self.reserve_file.unlink()
        except OSError:
            return False
        return True

    def notice(self, problem: Problem) -> None:
        """Tell of a problem that does not end the run."""
        self.emit(Noticed(problem=problem.record()))

    def ask_to_stop(self) -> None:
        """Ask whoever carries the run to save and leave. Raises ``OSError``."""
        try:
            self.stop_file.touch(PRIVATE)
        except OSError as fault:
            if not is_full(fault) or not self.release():
                raise
            self.stop_file.touch(PRIVATE)

    def stop_requested(self) -> bool:
        """Whether the user asked to stop."""
        return self.stop_file.exists()

    def check_stop(self) -> None:
        """Raise :class:`StopRequested` if the user asked to stop; call it between units of work."""
        if self.stop_requested():
            raise StopRequested

    def newest_checkpoint(self) -> Path | None:
        """The whole checkpoint with the highest step; ``None`` if there is none."""
        from tunewiz.backends.runs.checkpoints import newest

        return newest(self.checkpoints)

    def end_stopped(self) -> None:
        """Tell that the run was stopped, and what it can go on from."""
        checkpoint = self.newest_checkpoint()
        self.emit(Stopped(checkpoint=self.relative(checkpoint) if checkpoint else ""))
        self.stop_file.unlink(missing_ok=True)
