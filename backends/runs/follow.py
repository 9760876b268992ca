"""Reading a run that is being written, from any process: its events, and the end of what the libraries print."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Final

from tunewiz.backends.runs.ends import why_lost, why_unreadable
from tunewiz.backends.runs.events import Event, Unreadable, parse
from tunewiz.backends.runs.process import alive
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.state import RunState, fold
from tunewiz.files import open_regular
from tunewiz.printable import printable, printable_name

BLOCK: Final = 1 << 20  # bytes read at a time, so that a long run costs no memory
DETAILED: Final = 4096  # lines of progress of a backlog that are looked at; no curve keeps more
BACKLOG: Final = 1 << 30  # bytes looked back; at an event a second a run fills them in two months
MOST: Final = 1_000_000  # lines of a backlog; a file with more is none of ours
LONGEST: Final = 1 << 22  # bytes of a line; one that is longer is none of ours
ROOMY: Final = 512  # bytes; a backlog with less for each detailed line is read whole
#: Where a line begins that is neither progress nor a sample of the machine, by how Event.line begins those.
_NO_PROGRESS: Final = re.compile(rb'\n(?!\{"event":"(?:progress|sampled)")')


class EventReader:
    """Reads events as they are appended. Half-written lines wait, damaged ones are counted.

    Of a long backlog only about :data:`DETAILED` progress events, evenly spread, are returned, and every event of
    another kind: a run with a million events opens at once.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._inside = False  # within a line that is too long
        self.unreadable = 0
        self.read_any = False
        self.fault: OSError | None = None

    def read(self) -> list[Event]:
        """The events since the last call, in order; empty when there are none or the file is not there yet.

        Whatever is there in place of the file, nothing is raised: ``fault`` says why it cannot be read.
        """
        self.fault = None
        try:
            events = [self._parsed(line) for line in islice(self._lines(), MOST)]
        except FileNotFoundError:
            return []
        except OSError as fault:
            self.fault = fault
            return []
        return [event for event in events if event is not None]

    def _lines(self) -> Iterator[bytes]:
        with open_regular(self._path) as stream:
            waiting = os.fstat(stream.fileno()).st_size - self._offset
            if waiting > BACKLOG:
                self._offset, waiting, self._inside = self._offset + waiting - BACKLOG, BACKLOG, True
            stream.seek(self._offset)
            apart = waiting // DETAILED if waiting > DETAILED * ROOMY else 0
            rest = b""
            while block := stream.read(BLOCK):
                if self._inside and b"\n" not in block:
                    self._offset += len(block)
                    continue
                whole, mark, rest = (rest + block).rpartition(b"\n")
                if mark:
                    self._offset += len(whole) + 1
                    if self._inside:
                        self._inside, whole = False, whole.partition(b"\n")[2]
                    yield from _thinned(whole, apart) if apart else whole.split(b"\n")
                if len(rest) > LONGEST:
                    self.unreadable += not self._inside
                    self._offset, rest, self._inside = self._offset + len(rest), b"", True

    def _parsed(self, line: bytes) -> Event | None:
        if not line:
            return None
        try:
            event = parse(line.decode("utf-8", "replace"))
        except Unreadable:
            self.unreadable += 1
            return None
        self.read_any = True
        return event


def _thinned(lines: bytes, apart: int) -> Iterator[bytes]:
    """Of the lines in ``lines``: one in each ``apart`` bytes, all that are no progress and those before, the last."""
    starts = {lines.rfind(b"\n", 0, place) + 1 for place in (*range(0, len(lines), apart), len(lines))}
    for other in _NO_PROGRESS.finditer(lines):
        starts |= {other.start() + 1, lines.rfind(b"\n", 0, other.start()) + 1}
    for start in sorted(starts):
        end = lines.find(b"\n", start)
        yield lines[start : end if end >= 0 else len(lines)]


class Follower:
    """The current :class:`RunState` of a run, brought up to date by :meth:`update`."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.state = self._told = RunState(name=printable_name(run.name))
        self._reader = EventReader(run.events_file)

    def update(self) -> tuple[RunState, list[Event]]:
        """The state now, and the events that brought it there.

        A run whose process is gone without a last word is "lost", one of which nothing can be read "unreadable"; the
        last problem says why. Never raises, whatever lies in the run's folder.
        """
        # Liveness is asked before reading: a child that ends in between has its last events read.
        living = alive(self.run)
        events = self._reader.read()
        self._told = fold(self._told, events)
        self.state = self._told if living or self._told.over else self._without_end(self._told)
        return self.state, events

    def _without_end(self, told: RunState) -> RunState:
        unreadable = why_unreadable(self.run, self._reader)
        problem = unreadable or why_lost(self.run)
        problems = (*told.problems, problem.record())
        return replace(told, status="unreadable" if unreadable else "lost", problems=problems)


def read_state(run: Run) -> RunState:
    """The state of ``run`` as it is on disk now.

    >>> from tunewiz.backends.runs.find import find, runs_dir
    >>> state = read_state(find("last", runs_dir()))
    >>> state.status, state.verdict in ("WIN", "MARGINAL", "UNPROVEN", "REGRESSION", "NONE"), "loss" in state.curves
    ('finished', True, True)
    >>> sorted(state.measured)
    ['after:retrieval', 'before:retrieval']
    """
    return Follower(run).update()[0]


# The end of ``output.log``, as lines that are safe to show.


KEPT: Final = 5000  # lines
FIRST_READ: Final = 1 << 20  # bytes looked back when a log is opened
AT_ONCE: Final = 1 << 20  # bytes read in one call
WIDEST: Final = 1000  # characters of a line
#: Control sequences and operating system commands of ECMA-48 (CSI, OSC): colours and titles say nothing here.
_ESCAPES: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")


class LogTail:
    """The last lines of a growing file; one that was rewritten in place (a progress bar) appears once, as it ended."""

    def __init__(self, path: Path, kept: int = KEPT) -> None:
        self._path = path
        self._offset = -1
        self._partial = b""
        self._lines: deque[str] = deque(maxlen=kept)
        self._shown: tuple[str, ...] = ()

    def update(self) -> tuple[str, ...]:
        """The lines now; the very same tuple while nothing was added."""
        block = self._appended()
        if not block:
            return self._shown
        *whole, self._partial = (self._partial + block)[-2 * AT_ONCE :].split(b"\n")
        self._lines.extend(_line(line) for line in whole)
        rest = _line(self._partial)
        self._shown = (*self._lines, rest) if rest else tuple(self._lines)
        return self._shown

    def _appended(self) -> bytes:
        try:
            size = self._path.stat().st_size
            if self._offset < 0 or size < self._offset:  # opened, or begun afresh
                self._offset, self._partial = max(0, size - FIRST_READ), b""
            self._offset = max(self._offset, size - FIRST_READ)
            with open_regular(self._path) as stream:
                stream.seek(self._offset)
                block = stream.read(AT_ONCE)
        except OSError:
            return b""
        self._offset += len(block)
        return block


def _line(raw: bytes) -> str:
    """What a terminal would be left with: the part after the last carriage return, colour codes removed."""
    last = raw.rstrip(b"\r").rpartition(b"\r")[2]
    return printable(_ESCAPES.sub("", last.decode("utf-8", "replace")).rstrip(), WIDEST)
