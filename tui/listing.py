"""The runs of a folder with how each stands; looked at again and again, read only where something changed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from backends.runs.find import all_runs
from backends.runs.follow import Follower
from backends.runs.process import alive
from backends.runs.run import Run
from backends.runs.state import RunState
from data.language import translate
from data.printable import printable
from tui.lines import stage_name
from tui.numbers import duration
from tui.outcome import STATUS_NAMES, gain


@dataclass(frozen=True)
class Listed:
    """A run and how it stands; ``alive`` says whether its process does."""

    run: Run
    state: RunState
    alive: bool

    @property
    def status(self) -> str:
        """Its status, in the current language."""
        return translate(STATUS_NAMES[self.state.status])

    @property
    def progress(self) -> str:
        """Stage, share and time left of a run that goes on; otherwise its status or verdict."""
        state = self.state
        if state.over or not state.stage:
            return printable(state.verdict if state.verdict not in ("", "NONE") else self.status)
        share = f" {state.step / state.total:.0%}" if state.total else ""
        left = "  " + translate("{time} left").format(time=duration(state.remaining)) if state.remaining else ""
        return f"{stage_name(state.stage, state.part)}{share}{left}"

    @cached_property
    def gain(self) -> str:
        """The main measure, before → after; empty while there is none."""
        return gain(self.run, self.state)


class _Known(NamedTuple):
    follower: Follower
    listed: Listed
    size: int


class Listing:
    """All runs under a folder, oldest first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, _Known] = {}

    def look(self) -> tuple[Listed, ...]:
        """The runs now. Only those that live, or whose events grew, are read."""
        runs = all_runs(self._folder)
        self._known = {run.name: self._looked_at(run) for run in runs}
        return tuple(known.listed for known in self._known.values())

    def _looked_at(self, run: Run) -> _Known:
        known = self._known.get(run.name)
        size, living = _size(run.events_file), alive(run)
        if known and known.size == size and known.listed.alive == living:
            return known
        follower = known.follower if known and size >= known.size else Follower(run)
        state, _ = follower.update()
        return _Known(follower, Listed(run, state, living), size)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
