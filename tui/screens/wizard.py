"""The wizard: from an empty draft to a preset that runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.events import DescendantFocus
from textual.message import Message
from textual.widgets import Footer

from data.language import N_, translate
from data.problems import errors
from presets.draft import Draft
from presets.drafts import Kept, fresh
from presets.preset import Preset
from tui.forms.control import Answered, BrowseWanted, Cleared
from tui.lessons import lesson
from tui.screens.base import Translated
from tui.screens.browse import BrowseScreen
from tui.screens.lesson import LessonScreen
from tui.screens.save import SaveScreen
from tui.steps import owner, steps_for
from tui.steps.base import Step
from tui.widgets.drawing import Part
from tui.widgets.title_bar import TitleBar
from tui.wizard.background import Background, Found
from tui.wizard.frame import Hint, Needs, Rail
from tui.wizard.keeping import Keeping
from tui.wizard.messages import Edited, JumpWanted, SaveWanted, StartWanted
from tui.wizard.state import State, after
from tui.wizard.view import View


class WizardScreen(Translated[None]):
    """Steps, the one you are at, and what is known around the draft. Everything typed is kept on disk at once."""

    CSS_PATH = "wizard.tcss"
    HELP_TEXT = N_("Answer what is open; everything else has a good default. Your answers are kept as you go.")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+n", "next", N_("Next"), priority=True),
        Binding("escape", "back", N_("Back")),
        Binding("f6", "toggle_advanced", N_("Simple/Advanced")),
        Binding("f5", "start", N_("Start"), priority=True),
        Binding("f7", "next_problem", N_("Problem")),
        Binding("f8", "save", N_("Save preset"), show=False),
        Binding("f1", "help_here", N_("Help"), priority=True),
        *(Binding(f"alt+{number}", f"go_to({number})", show=False) for number in range(1, 10)),
    ]

    @dataclass
    class Start(Message):
        """Run ``preset``: it is checked and has no errors. The app creates the run, then calls ``wizard.started()``."""

        preset: Preset
        wizard: WizardScreen

    def __init__(self, start: Kept | Draft | Preset | None = None) -> None:
        """Go on with a kept draft, or begin from a draft, from a preset, or from nothing."""
        super().__init__()
        kept = start if isinstance(start, Kept) else fresh(_draft(start))
        self.state = State(kept.draft, kept.advanced).settled()
        self.step = next((step for step in self._steps if step.name == kept.step), self._steps[0])
        self._keeping = Keeping(self, kept)
        self._background = Background(self)
        self._view: View | None = None
        self._starting = False

    @property
    def _steps(self) -> tuple[Step, ...]:
        return steps_for(self.state.draft)

    def compose(self) -> ComposeResult:
        """Title, steps, the step, help, what is missing and needed, key hints."""
        yield TitleBar(N_("New fine-tune"), right=self._mode)
        yield Rail(upright=False)
        with Horizontal(id="middle"):
            yield Rail(upright=True)
            yield Vertical(id="place")
            yield Hint(full=True)
        yield Hint(full=False)
        yield Needs()
        yield Footer(show_command_palette=False)

    async def on_mount(self) -> None:
        """Open the step, then find out about the machine and the data."""
        await self._open(self.step)
        self._background.look_at_machine()
        self._background.follow(self.state)

    def on_unmount(self) -> None:
        """Whatever closes the screen, the answers are on disk."""
        self._background.stop()
        self._keeping.now()

    def started(self) -> None:
        """The run is there: the draft has done its work."""
        self._keeping.over()

    async def on_answered(self, event: Answered) -> None:
        """A field was answered."""
        await self._change(self.state.draft.answer(event.path, event.value))

    async def on_cleared(self, event: Cleared) -> None:
        """An answer was taken back."""
        await self._change(self.state.draft.forget(event.path))

    def on_browse_wanted(self, event: BrowseWanted) -> None:
        """Look for a file."""

        async def take(chosen: Path | None) -> None:
            if chosen is not None:
                await self._change(self.state.draft.answer(event.path, str(chosen)))

        self.app.push_screen(BrowseScreen(Path(self.state.draft.folder)), take)

    async def on_edited(self, event: Edited) -> None:
        """Several answers at once: a preset to begin from, a model, the YAML."""
        await self._change(event.draft(self.state.draft))

    async def on_found(self, event: Found) -> None:
        """Something was found out in the background."""
        await self._become(event.into(self.state))
        if self._starting and self.state.checked:
            self._starting = False
            self.action_start()

    async def _change(self, draft: Draft) -> None:
        await self._become(replace(self.state, draft=draft))
        self._keep()

    async def _become(self, state: State) -> None:
        """Take up ``state``, show it, and find out what it makes worth knowing."""
        self.state = state.settled()
        await self._show()
        self._background.follow(self.state)

    def _keep(self) -> None:
        self._keeping.later(self.state.draft, self.step.name, self.state.advanced)

    async def _show(self) -> None:
        if self._view is not None and self._view.is_attached:
            await self._view.show(self.state)
        for rail in self.query(Rail):
            rail.show(self.state, self.step)
        self.query_one(Needs).show(self.state)
        self.query_one(TitleBar).redraw()
        self._hint()

    async def _open(self, step: Step) -> None:
        """Go to ``step``, even to the one that is open: it is built anew."""
        self.step = step
        place = self.query_one("#place", Vertical)
        with self.app.batch_update():
            await place.remove_children()
            self._view = step.view(self.state.advanced)
            await place.mount(self._view)
            await self._show()
        self._view.focus_first()

    async def _go(self, step: Step) -> None:
        if step.name != self.step.name:
            await self._open(step)
            self._keep()

    async def on_rail_chosen(self, event: Rail.Chosen) -> None:
        """A step was clicked."""
        await self._go(event.step)

    async def action_go_to(self, number: int) -> None:
        """Go to a step by its number."""
        if 0 < number <= len(self._steps):
            await self._go(self._steps[number - 1])

    async def action_next(self) -> None:
        """Go on to the next step."""
        await self._go(self._steps[min(self._number + 1, len(self._steps) - 1)])

    async def action_back(self) -> None:
        """Go back a step; from the first one leave, the draft kept."""
        if self._number == 0:
            self.app.pop_screen()
        else:
            await self._go(self._steps[self._number - 1])

    @property
    def _number(self) -> int:
        """The place of the step among all, from 0."""
        return [step.name for step in self._steps].index(self.step.name)

    async def action_toggle_advanced(self) -> None:
        """Every field, or the few that matter; values stay."""
        question = self._view.question_at(self.focused) if self._view else None
        self.state = replace(self.state, advanced=not self.state.advanced)
        self._keep()
        await self._open(self.step)
        if question and self._view:
            self._view.focus_on(question.path)

    async def action_next_problem(self) -> None:
        """Go to the field of the next problem, errors first, from the one in use on."""
        question = self._view.question_at(self.focused) if self._view else None
        problem = after(self.state.problems, question.key if question else "")
        if problem is None:
            self.notify(translate("There is no problem."))
        else:
            await self._jump(problem.where.key)

    async def on_jump_wanted(self, event: JumpWanted) -> None:
        """Go to a key."""
        await self._jump(event.key)

    async def _jump(self, key: str) -> None:
        path = tuple(key.split("."))
        await self._go(owner(path))
        if self._view and not self._view.focus_on(path) and not self.state.advanced:
            await self.action_toggle_advanced()
            self._view.focus_on(path)

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """Help follows the cursor."""
        self._hint()

    def _hint(self) -> None:
        question = self._view.question_at(self.focused) if self._view else None
        title = lesson(self.step.lessons[0]).title if self.step.lessons else ""
        for hint in self.query(Hint):
            hint.show(question, title)

    def _mode(self) -> list[Part]:
        return [(translate("Advanced") if self.state.advanced else translate("Simple"), "accent")]

    def action_help_here(self) -> None:
        """Help on the field in use, and the step's lessons."""
        question = self._view.question_at(self.focused) if self._view else None
        self.app.push_screen(LessonScreen(question, self.step.lessons))

    def action_save(self) -> None:
        """Save the preset under a name."""
        preset, found = self.state.draft.checked()
        if preset is None or errors(found):
            self.notify(translate("It can be saved once nothing is missing or wrong (F7)."), severity="warning")
        else:
            self.app.push_screen(SaveScreen(preset))

    def on_save_wanted(self, event: SaveWanted) -> None:
        """A button asks to save."""
        self.action_save()

    def on_start_wanted(self, event: StartWanted) -> None:
        """A button asks to start."""
        event.stop()
        self.action_start()

    def action_start(self) -> None:
        """Start, unless there are errors: then go to the first one."""
        wrong = errors(self.state.problems)
        if wrong:
            self.notify(translate("Not yet: something is missing or wrong."), severity="warning")
            self.call_later(self._jump, wrong[0].where.key)
        elif not self.state.checked:
            self._starting = True
            self.notify(translate("Checking what this machine has …"))
        else:
            self.post_message(self.Start(self.state.draft.preset(), self))

    def relabel(self) -> None:
        """The language changed: everything is worded anew."""
        super().relabel()
        self.call_later(self._open, self.step)


def _draft(start: Draft | Preset | None) -> Draft:
    """A draft whose relative paths begin where the app was started."""
    draft = Draft.of(start) if isinstance(start, Preset) else start or Draft()
    return replace(draft, folder=draft.folder or str(Path.cwd()))
