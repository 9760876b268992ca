"""What is found out while the user goes on: the machine, the data, what the backend says; one thread a subject."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer
from textual.worker import get_current_worker

from tunewiz.backends.engines import find_engine
from tunewiz.backends.readiness import sweep_problems
from tunewiz.data.inspection import Inspection
from tunewiz.errand import ErrandFailed, GivenUp, send
from tunewiz.presets.drafts.draft import Draft
from tunewiz.problems import BadPreset, Finding, errors
from tunewiz.tui.wizard.inspecting import Inspected, InspectionRequest, inspection_request
from tunewiz.tui.wizard.machine import hubs_answer, look
from tunewiz.tui.wizard.step import State

#: Seconds without a change before something costly is looked at again.
QUIET: Final = 0.4


@dataclass
class Discovered(Message):
    """Something was found out; ``into`` adds it to the state."""

    into: Callable[[State], State]


class Background:
    """Looks after what a screen's state makes worth knowing; answers come as :class:`Discovered`."""

    def __init__(self, screen: Screen[None]) -> None:
        self._screen = screen
        self._asked: InspectionRequest | None = None
        self._checked: Draft | None = None
        self._timers: dict[str, Timer] = {}

    def look_at_machine(self) -> None:
        """GPUs, memory, disk, cached models; then whether hubs answer."""
        runs: Path | None = getattr(self._screen.app, "runs", None)

        def work() -> None:
            machine = look(runs)
            self._tell(lambda state: replace(state, machine=machine))
            if machine.hubs is None:
                reached = replace(machine, hubs=hubs_answer())
                self._tell(lambda state: replace(state, machine=reached))

        self._start("machine", work)

    def follow(self, state: State) -> None:
        """Look at the data again if what decides on it changed, and ask the backend if the draft is whole and new."""
        asked = inspection_request(state.draft)
        if asked != self._asked:
            self._asked = asked
            self._screen.workers.cancel_group(self._screen, "data")
            if asked is not None:
                self._soon("data", lambda: self._inspect(asked))
        if state.draft != self._checked and not state.checked:
            self._checked = state.draft
            self._soon("backend", lambda: self._ask_backend(state.draft))

    def look_again(self, state: State) -> None:
        """Look at the data once more: it is another than it was, under the same name."""
        self._asked = None
        self.follow(state)

    def stop(self) -> None:
        """Nobody waits for anything any more."""
        for timer in self._timers.values():
            timer.stop()
        self._screen.workers.cancel_node(self._screen)

    def _soon(self, subject: str, start: Callable[[], None]) -> None:
        if subject in self._timers:
            self._timers[subject].stop()
        self._timers[subject] = self._screen.set_timer(QUIET, start)

    def _start(self, subject: str, work: Callable[[], None]) -> None:
        self._screen.run_worker(work, thread=True, exclusive=True, group=subject, exit_on_error=False)

    def _tell(self, into: Callable[[State], State]) -> None:
        """Post, unless the answer came too late to matter."""
        if not get_current_worker().is_cancelled:
            self._screen.post_message(Discovered(into))

    def _inspect(self, asked: InspectionRequest) -> None:
        def work() -> None:
            worker = get_current_worker()
            try:
                inspected = send("tunewiz.tui.wizard.inspecting:examine", asked, unwanted=lambda: worker.is_cancelled)
            except GivenUp:
                return
            except ErrandFailed as fault:
                findings = tuple(Finding(one.severity, one.code, 1, (one,)) for one in fault.problems)
                inspected = Inspected(asked, Inspection(asked.train, findings=findings))
            self._tell(lambda state: replace(state, inspected=inspected))

        self._tell_looking(asked)
        self._start("data", work)

    def _tell_looking(self, asked: InspectionRequest) -> None:
        self._screen.post_message(Discovered(lambda state: replace(state, looking=asked)))

    def _ask_backend(self, draft: Draft) -> None:
        def work() -> None:
            preset, found = draft.checked()
            if preset is None or errors(found):
                return
            try:
                own = find_engine(preset.backend).problems(preset)
                told = (*own, *(sweep_problems(preset, own) if preset.several else ()))
            except BadPreset as fault:
                told = fault.problems
            self._tell(lambda state: replace(state, backend=told, backend_for=draft))

        self._start("backend", work)
