"""Reading a run that is being written, from any process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from backends.runs.events import Event, Unreadable, parse
from backends.runs.process import alive
from backends.runs.run import Run
from backends.runs.state import RunState, fold

BLOCK: Final = 1 << 20  # bytes read at a time, so that a long run costs no memory
DETAILED: Final = 4096  # lines of progress of a backlog that are looked at; no curve keeps more
_PROGRESS: Final = b'{"event":"progress"'  # how Event.line begins them


class EventReader:
    """Reads events as they are appended. Half-written lines wait, damaged ones are counted.

    Of a long backlog only about :data:`DETAILED` progress events, evenly spread, are returned, and every event of
    another kind: a run with a million events opens at once.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.unreadable = 0

    def read(self) -> list[Event]:
        """The events since the last call, in order; empty when there are none or the file is not there yet."""
        events = (self._parsed(line) for line in self._lines())
        return [event for event in events if event is not None]

    def _lines(self) -> Iterator[bytes]:
        try:
            stream = self._path.open("rb")
        except FileNotFoundError:
            return
        with stream:
            waiting = os.fstat(stream.fileno()).st_size - self._offset
            stream.seek(self._offset)
            rest, every = b"", 0
            while block := stream.read(BLOCK):
                whole, mark, rest = (rest + block).rpartition(b"\n")
                if not mark:
                    continue
                self._offset += len(whole) + 1
                lines = whole.split(b"\n")
                every = every or max(1, waiting * len(lines) // ((len(whole) + 1) * DETAILED))
                yield from lines if every == 1 else _thinned(lines, every)

    def _parsed(self, line: bytes) -> Event | None:
        try:
            return parse(line.decode("utf-8", "replace"))
        except Unreadable:
            self.unreadable += 1
            return None


def _thinned(lines: list[bytes], every: int) -> Iterator[bytes]:
    """Each ``every``-th progress line, the last one before anything else, and whatever is no progress."""
    others = [number for number, line in enumerate(lines) if not line.startswith(_PROGRESS)]
    kept = {*range(0, len(lines), every), *others, *(max(0, number - 1) for number in others), len(lines) - 1}
    for number in sorted(kept):
        yield lines[number]


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
