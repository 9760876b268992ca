"""The wizard: from an empty draft to a preset that runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import ClassVar, Final

from textual.binding import Binding, BindingType
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.message import Message
from textual.types import IgnoreReturnCallbackType

from tunewiz.backends.runs.run import Run
from tunewiz.language import N_, translate
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.drafts.kept import Kept, fresh
from tunewiz.presets.preset import Preset
from tunewiz.problems import Problem, errors, say
from tunewiz.tui.forms.controls import Answered, BrowseWanted, Cleared
from tunewiz.tui.screens.browse import BrowseScreen
from tunewiz.tui.screens.confirm import ConfirmScreen
from tunewiz.tui.screens.save import SaveScreen
from tunewiz.tui.wizard.background import Background, Discovered
from tunewiz.tui.wizard.keeping import Keeping
from tunewiz.tui.wizard.step import Edited, LaunchWanted, SaveWanted, State, Unfinished, by_place, steps_for
from tunewiz.tui.wizard.steps.model import REMOTE_CODE_KEY, SOURCE_KEY, take_source, trust_question
from tunewiz.tui.wizard.walk import Walk

# What the wizard adds to the command palette beside what keys do: its steps.


class WizardCommands(Provider):
    """Going to a step."""

    async def discover(self) -> Hits:
        """All of them."""
        for name, run in self._commands():
            yield DiscoveryHit(name, run)

    async def search(self, query: str) -> Hits:
        """Those that match."""
        matcher = self.matcher(query)
        for name, run in self._commands():
            score = matcher.match(name)
            if score > 0:
                yield Hit(score, matcher.highlight(name), run, text=name)

    def _commands(self) -> Iterator[tuple[str, IgnoreReturnCallbackType]]:
        screen = self.screen
        if not isinstance(screen, Walk):
            return
        for number, step in enumerate(screen.state.steps, 1):
            told = say("Go to {step}", step=translate(step.title)).text()
            yield told, partial(screen.action_go_to, number)


# The wizard: from an empty draft to a preset that runs.


#: Seconds before the same draft can be started again: a key pressed twice is one wish.
_AGAIN: Final = 3.0


class WizardScreen(Walk):
    """Steps, the one you are at, and what is known around the draft. Everything typed is kept on disk at once."""

    CSS_PATH = "wizard.tcss"
    COMMANDS = {WizardCommands}
    HELP_TEXT = N_("Answer what is open; everything else has a good default. Your answers are kept as you go.")
    MAIN = ("start", "next")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5", "start", N_("Start"), priority=True),
        Binding("f8", "save", N_("Save preset"), show=False),
    ]

    @dataclass
    class Start(Message):
        """Run ``preset``, which has no errors. The app creates the run, then calls ``wizard.started(run)``."""

        preset: Preset
        wizard: WizardScreen

    def __init__(self, start: Kept | Draft | Preset | State | None = None) -> None:
        """Go on with a kept draft, or begin from a draft, a preset, nothing, or at the end of what was proposed."""
        proposed = isinstance(start, State)
        draft = start.draft if isinstance(start, State) else start
        kept = draft if isinstance(draft, Kept) else fresh(_draft(draft))
        state = start if isinstance(start, State) else State(kept.draft, kept.advanced)
        step = steps_for(kept.draft)[-1].name if proposed else kept.step
        super().__init__(state.settled(), step)
        self._keeping = Keeping(self, replace(kept, step=step))
        self._background = Background(self)
        self._starting = False
        self._started_at = -_AGAIN

    async def on_mount(self) -> None:
        """Open the step, then find out about the machine and the data."""
        await self._open(self.step)
        self._background.look_at_machine()
        self._background.follow(self.state)

    def on_unmount(self) -> None:
        """Whatever closes the screen, the answers are on disk."""
        self._background.stop()
        self._keeping.now()

    def started(self, run: Run) -> None:
        """The run is there; the draft is kept until that trains."""
        self._keeping.became(run)

    async def on_answered(self, event: Answered) -> None:
        """A field was answered."""
        draft = self.state.draft
        taken = event.path == SOURCE_KEY
        await self._change(take_source(draft, str(event.value)) if taken else draft.answer(event.path, event.value))
        if event.path == REMOTE_CODE_KEY and self.state.draft.asks_trust:
            self._ask_trust()

    async def on_cleared(self, event: Cleared) -> None:
        """An answer was taken back."""
        await self._change(self.state.draft.forget(event.path))

    def on_browse_wanted(self, event: BrowseWanted) -> None:
        """Look for a file."""

        def take(chosen: Path | None) -> None:
            if chosen is not None:
                self.call_later(self._change, self.state.draft.answer(event.path, str(chosen)))

        self.app.push_screen(BrowseScreen(Path(self.state.draft.folder)), take)

    async def on_edited(self, event: Edited) -> None:
        """Several answers at once: a preset to begin from, a model, the YAML."""
        await self._change(event.draft(self.state.draft))

    async def on_unfinished(self, event: Unfinished) -> None:
        """The preset's text is being changed."""
        text_for, found = self.state.draft, event.problems
        await self._become(replace(self.state, text=event.text, text_for=text_for, text_problems=found))

    async def on_discovered(self, event: Discovered) -> None:
        """Something was found out in the background."""
        await self._become(event.into(self.state))

    def on_look_wanted(self) -> None:
        """The data is another than it was."""
        self._background.look_again(self.state)

    async def _change(self, draft: Draft) -> None:
        await self._become(replace(self.state, draft=draft))
        self.keep()

    async def _become(self, state: State) -> None:
        """Take up ``state``, show it, and find out what it makes worth knowing."""
        self.state = state.settled()
        await self._show()
        self._background.follow(self.state)
        if self._starting and self.state.checked:
            self._starting = False
            self.action_start()

    def keep(self) -> None:
        """Write the draft soon."""
        self._keeping.later(self.state.draft, self.step.name, self.state.advanced)

    def _ask_trust(self, then: Callable[[], None] = lambda: None) -> None:
        """Ask whether code that comes with the model may run, and go on with ``then`` after a yes."""

        async def take(yes: bool | None) -> None:
            await self._change(self.state.draft.trust() if yes else self.state.draft.forget(REMOTE_CODE_KEY))
            if yes:
                then()

        def answered(yes: bool | None) -> None:
            self.call_later(take, yes)

        question, detail = trust_question(self.state.draft)
        self.app.push_screen(ConfirmScreen(question, detail, N_("Yes, run it"), danger=True), answered)

    def action_save(self) -> None:
        """Save the preset under a name."""
        if self.state.draft.asks_trust:
            self._ask_trust(self.action_save)
            return
        preset, found = self.state.draft.checked()
        if preset is None or errors(found):
            self.notify(translate("It can be saved once nothing is missing or wrong (F7)."), severity="warning")
        else:
            self.app.push_screen(SaveScreen(preset))

    def on_save_wanted(self, event: SaveWanted) -> None:
        """A button asks to save."""
        self.action_save()

    def on_launch_wanted(self, event: LaunchWanted) -> None:
        """A button asks to start."""
        event.stop()
        self.action_start()

    def action_start(self) -> None:
        """Start, unless there are errors: then go to the first one."""
        if self.state.draft.asks_trust:
            self._ask_trust(self.action_start)
            return
        wrong = errors(self.state.problems)
        if wrong:
            self._refuse(wrong)
        elif not self.state.checked:
            self._starting = True
            self.notify(translate("Checking what this machine has …"))
        elif monotonic() - self._started_at >= _AGAIN:
            self._started_at = monotonic()
            self.post_message(self.Start(self.state.draft.preset(), self))

    def relabel(self) -> None:
        """The language changed: everything is worded anew."""
        super().relabel()
        self.call_later(self._open, self.step)

    def _refuse(self, wrong: list[Problem]) -> None:
        """Say that something is wrong and go to where that is."""
        self.notify(translate("Not yet: something is missing or wrong."), severity="warning")
        self.call_later(self._go_to_problem, by_place(wrong)[0])


def _draft(start: Draft | Preset | None) -> Draft:
    """A draft whose relative paths begin where the app was started."""
    draft = Draft.of(start) if isinstance(start, Preset) else start or Draft()
    return replace(draft, folder=draft.folder or str(Path.cwd()))
