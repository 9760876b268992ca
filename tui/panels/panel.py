"""What all panels share, and the frozen view of a run and its machine that they render.

A thread gathers it several times a second.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from textual.binding import Binding, BindingType

from tunewiz.backends.machine.hardware import Sample, Sampler
from tunewiz.backends.machine.places import cards_of
from tunewiz.backends.runs.advice import advice
from tunewiz.backends.runs.follow import Follower, LogTail
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.state import RunState
from tunewiz.language import N_, translate
from tunewiz.problems import Problem
from tunewiz.tui.widgets.sheet import Sheet

# Watching a run: what a thread gathers several times a second, in one frozen view that all panels render.


INTERVAL: Final = 0.5  # seconds between two looks at the run
SAMPLING: Final = 1.0  # seconds between two looks at the machine
HISTORY: Final = 300  # samples kept


@dataclass(frozen=True)
class View:
    """A run and its machine at one moment. ``samples`` and ``log`` run from old to new; ``cards`` are the run's own."""

    run: Run
    state: RunState
    now: float = 0.0
    stopping: bool = False
    samples: tuple[Sample, ...] = ()
    advice: tuple[Problem, ...] = ()
    log: tuple[str, ...] = ()
    cards: frozenset[int] = frozenset()

    @property
    def sample(self) -> Sample | None:
        """The newest look at the machine."""
        return self.samples[-1] if self.samples else None

    @property
    def notices(self) -> tuple[Mapping[str, Any], ...]:
        """The run's own problems, one of each code and message, the newest last."""
        unique = {(item.get("code"), item.get("message")): item for item in self.state.problems}
        return tuple(unique.values())


class MachineWatch:
    """The last samples of the machine. :meth:`look` may block in a driver, so it has a thread of its own."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._sampler = Sampler(run.directory, run)
        self._history: deque[Sample] = deque(maxlen=HISTORY)
        self.samples: tuple[Sample, ...] = ()
        self.cards: frozenset[int] = frozenset()

    def look(self) -> None:
        """Take one sample."""
        taken = self._sampler.take()
        self.cards = cards_of(self._run.name) if taken.gpus else frozenset()
        self._history.append(taken)
        self.samples = tuple(self._history)

    def close(self) -> None:
        """No more samples will be taken."""
        self._sampler.close()


class Watch:
    """Looks at a run; all reading is done here, in the caller's thread."""

    def __init__(self, run: Run, machine: MachineWatch) -> None:
        self.run = run
        self._machine = machine
        self._follower = Follower(run)
        self._log = LogTail(run.log_file)

    def look(self) -> View:
        """The run now."""
        state, _ = self._follower.update()
        now = time.time()
        samples = self._machine.samples
        found = advice(state, samples, now)
        told, cards = self._log.update(), self._machine.cards
        return View(self.run, state, now, self.run.stop_requested(), samples, found, told, cards)


# What all panels share.


class Panel(Sheet, can_focus=True):
    """One part of a view. It can be zoomed to fill the screen; titles follow the language."""

    TITLE: ClassVar[str] = ""
    BINDINGS: ClassVar[list[BindingType]] = [Binding("z,enter", "zoom", N_("Zoom"))]
    ALLOW_MAXIMIZE = True

    view: View | None = None

    def on_mount(self) -> None:
        """Titles are known from the start."""
        self.relabel()

    def relabel(self) -> None:
        """The language changed."""
        self.border_title = translate(self.title_text()) if self.title_text() else ""
        self.redraw()

    def title_text(self) -> str:
        """The title before translation."""
        return self.TITLE

    def show(self, view: View) -> None:
        """Render ``view``."""
        self.view = view
        self.redraw()

    def action_zoom(self) -> None:
        """Fill the screen, or go back to the place among the others."""
        if self.screen.maximized is self:
            self.screen.minimize()
        else:
            self.screen.maximize(self, container=False)

    @property
    def ascii_only(self) -> bool:
        """Whether the app draws in ASCII."""
        return getattr(self.app, "characters", "unicode") == "ascii"
