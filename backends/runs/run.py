"""A run is a directory, and the only state there is.

``preset.yaml run.json events.jsonl output.log data/ checkpoints/ model/ report/`` — see ARCHITECTURE.md.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tunewiz.backends.runs.events import Event, Noticed, Progress, Stopped
from tunewiz.problems import Problem


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

    def relative(self, path: Path) -> str:
        """``path`` as it is written in events: relative to the directory."""
        return os.path.relpath(path, self.directory)

    def emit(self, event: Event) -> None:
        """Append ``event``; one ``write`` call a line, so that a reader sees whole lines.

        All but progress is on disk when this returns: what comes after may delete what came before.
        """
        with self.events_file.open("a+b") as stream:
            # A writer that was killed may have left half a line, which must not swallow this one.
            stream.write((b"\n" if _torn(stream) else b"") + event.line().encode("utf-8") + b"\n")
            if not isinstance(event, Progress):
                stream.flush()
                os.fsync(stream.fileno())

    def notice(self, problem: Problem) -> None:
        """Tell of a problem that does not end the run."""
        self.emit(Noticed(problem=problem.as_json()))

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


def _torn(stream: IO[bytes]) -> bool:
    """Whether what was written last into ``stream``, which stands at its end, is no whole line."""
    if not stream.tell():
        return False
    stream.seek(-1, os.SEEK_END)
    return stream.read(1) != b"\n"
