"""Reading a run that is being written, from any process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from backends.runs.events import Event, Unreadable, parse
from backends.runs.process import alive
from backends.runs.run import Run
from backends.runs.state import RunState, fold


class EventReader:
    """Reads events as they are appended. Half-written lines wait, damaged ones are counted."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.unreadable = 0

    def read(self) -> list[Event]:
        """The events since the last call, in order; empty when there are none or the file is not there yet."""
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._offset)
                block = stream.read()
        except FileNotFoundError:
            return []
        whole = block.rfind(b"\n") + 1
        self._offset += whole
        events = (self._parsed(line) for line in block[:whole].splitlines())
        return [event for event in events if event is not None]

    def _parsed(self, line: bytes) -> Event | None:
        try:
            return parse(line.decode("utf-8", "replace"))
        except Unreadable:
            self.unreadable += 1
            return None


class Follower:
    """The current :class:`RunState` of a run, brought up to date by :meth:`update`."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.state = RunState(name=run.name)
        self._reader = EventReader(run.events_file)

    def update(self) -> tuple[RunState, list[Event]]:
        """The state now, and the events that brought it there. A run whose process is gone is "lost"."""
        # Liveness is asked before reading: a child that ends in between has its last events read.
        living = alive(self.run)
        events = self._reader.read()
        self.state = fold(self.state, events)
        if not living and not self.state.over:
            self.state = replace(self.state, status="lost")
        elif living and self.state.status == "lost":
            self.state = replace(self.state, status="running")
        return self.state, events


def read_state(run: Run) -> RunState:
    """The state of ``run`` as it is on disk now."""
    return Follower(run).update()[0]
