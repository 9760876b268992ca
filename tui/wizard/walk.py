"""Walking through the steps: which one is open, how to go to another, and what stands around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.css.query import QueryType
from textual.events import DescendantFocus
from textual.widget import Widget

from tunewiz.language import N_, translate
from tunewiz.problems import Problem
from tunewiz.tui.forms.form import Form
from tunewiz.tui.forms.questions import Question
from tunewiz.tui.screens.kinds import Translated
from tunewiz.tui.screens.lesson import LessonScreen, lesson
from tunewiz.tui.widgets.drawing import Part
from tunewiz.tui.widgets.labels import KeyHints, TitleBar
from tunewiz.tui.wizard.frame import Hint, Needs, Rail
from tunewiz.tui.wizard.step import JumpWanted, State, Step, View, after, owner

#: Seconds after which a new step is seen: Textual paints 60 times a second.
_SEEN: Final = 0.1


class Walk(Translated[None]):
    """A screen of steps. Subclasses say how the state changes; this shows it and moves about in it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+n", "next", N_("Next step"), priority=True),
        Binding("escape", "back", N_("Back")),
        Binding("f6", "toggle_advanced", N_("Simple/Advanced"), priority=True),
        Binding("f7", "next_problem", N_("Problem"), priority=True),
        Binding("f1,question_mark", "help_here", N_("Help"), key_display="F1"),
        # A letter that misses its field must not close the app; Ctrl-Q does.
        Binding("q", "nothing", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("alt+1", "go_to(1)", N_("Go to a step by its number"), show=False, key_display="Alt-1"),
        *(Binding(f"alt+{number}", f"go_to({number})", show=False) for number in range(2, 10)),
    ]

    def __init__(self, state: State, step: str = "") -> None:
        """Begin with ``state`` at the step of that name, or at the first one."""
        super().__init__()
        self.state = state
        self.step = next((one for one in self._steps if one.name == step), self._steps[0])
        self._view: View | None = None
        self._title = TitleBar(N_("New fine-tune"), right=self._mode)
        # Of rails and hints one is for narrow screens, one for wide ones.
        self._rails = (Rail(upright=False), Rail(upright=True))
        self._hints = (Hint(full=False), Hint(full=True))
        self._needs = Needs()
        self._told: tuple[Problem, ...] = ()

    def keep(self) -> None:
        """Called when there is something new to keep: where the user is, or what was answered."""

    @property
    def _steps(self) -> tuple[Step, ...]:
        return self.state.steps

    def compose(self) -> ComposeResult:
        """Title, steps, the step, help, what is missing and needed, key hints."""
        yield self._title
        yield self._rails[0]
        with Horizontal(id="middle"):
            yield self._rails[1]
            yield Vertical(id="place")
            yield self._hints[1]
        yield self._hints[0]
        yield self._needs
        yield KeyHints()

    async def _show(self) -> None:
        if self._view is not None and self._view.is_attached:
            await self._view.show(self.state)
        for rail in self._rails:
            rail.show(self.state, self.step)
        self._needs.show(self.state)
        self._title.redraw()
        self._hint()
        told = tuple(self.state.problems)
        if told != self._told:
            self._told = told
            self.call_after_refresh(self._keep_in_sight)

    def _keep_in_sight(self) -> None:
        """What is told of problems takes lines: the control in use stays where it can be seen."""
        focused, view = self.focused, self._view
        if focused is not None and view is not None and view in focused.ancestors:
            view.scroll_to_widget(focused, animate=False)

    async def _open(self, step: Step) -> None:
        """Go to ``step``, even to the one that is open: it is built anew.

        Taking a view apart costs as much as building one: that of another step is hidden, and taken away once the new
        one is seen.
        """
        again, self.step = step is self.step, step
        place = self.query_one("#place", Vertical)
        left = list(place.children)
        with self.app.batch_update():
            if again:
                await place.remove_children()
            for view in left:
                view.display = False
            self._view = step.view(self.state.advanced)
            await place.mount(self._view)
            await self._show()
        self._view.focus_first()
        self.refresh_bindings()
        self.set_timer(_SEEN, lambda: self._take_away(left))

    def _take_away(self, views: Sequence[Widget]) -> None:
        for view in views:
            if view.is_attached:
                view.remove()

    async def _go(self, step: Step) -> None:
        if step.name != self.step.name:
            await self._open(step)
            self.keep()

    async def on_rail_chosen(self, event: Rail.Chosen) -> None:
        """A step was clicked."""
        await self._go(event.step)

    def focus_previous(self, selector: str | type[QueryType] = "*") -> Widget | None:
        """From the first field on to the last one, though it may not be made yet."""
        form = next((one for one in self._view.query(Form) if not one.whole), None) if self._view else None
        if form is None or self.focused is not next(iter(self.focus_chain), None):
            return super().focus_previous(selector)
        back = super().focus_previous

        async def finish() -> None:
            await form.finish()
            back(selector)

        self.call_later(finish)
        return self.focused

    # Keys are handled in the app's task, everything else in the screen's: what changes the screen is left to that one.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The last step has none after it."""
        return self._number + 1 < len(self._steps) if action == "next" else True

    def action_go_to(self, number: int) -> None:
        """Go to a step by its number."""
        if 0 < number <= len(self._steps):
            self.call_later(self._go, self._steps[number - 1])

    def action_next(self) -> None:
        """Go on to the next step."""
        self.call_later(self._walk, 1)

    def action_back(self) -> None:
        """Go back a step; from the first one leave, the draft kept."""
        self.call_later(self._walk, -1)

    async def _walk(self, by: int) -> None:
        to = self._number + by
        if to < 0:
            self.app.pop_screen()
        elif to < len(self._steps):
            await self._go(self._steps[to])

    @property
    def _number(self) -> int:
        """The place of the step among all, from 0."""
        return [step.name for step in self._steps].index(self.step.name)

    def action_toggle_advanced(self) -> None:
        """Every field, or the few that matter; values stay."""
        self.call_later(self._toggle_advanced)

    async def _toggle_advanced(self) -> None:
        question = self._question()
        self.state = replace(self.state, advanced=not self.state.advanced)
        self.keep()
        await self._open(self.step)
        if question and self._view:
            self._view.focus_on(question.path)

    def action_next_problem(self) -> None:
        """Go to the field of the next problem, errors first, from the one in use on."""
        question = self._question()
        problem = after(self.state.problems, question.key if question else "")
        if problem is None:
            told = N_("There is no problem.") if self.state.checked else N_("Nothing is known to be wrong so far.")
            self.notify(translate(told))
        else:
            self.call_later(self._go_to_problem, problem)

    async def _go_to_problem(self, problem: Problem) -> None:
        """Go to the field of ``problem``; without one, or while the preset is changed as text, to the list."""
        if problem.where.key and not self.state.unfinished:
            await self._jump(problem.where.key)
            return
        await self._go(self._steps[-1])
        if self._view:
            self._view.show_problem(problem)

    async def on_jump_wanted(self, event: JumpWanted) -> None:
        """Go to a key."""
        await self._jump(event.key)

    async def _jump(self, key: str) -> None:
        path = tuple(key.split("."))
        await self._go(owner(path, self.state.machine))
        if self._view and not self._view.focus_on(path) and not self.state.advanced:
            await self._toggle_advanced()
            self._view.focus_on(path)

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """Help follows the cursor."""
        self._hint()

    def _hint(self) -> None:
        question = self._question()
        topics = self.step.topics(self.state.draft)
        title = lesson(topics[0]).title if topics else ""
        for hint in self._hints:
            hint.show(question, title)

    def _question(self) -> Question | None:
        """The question that has the cursor."""
        return self._view.question_at(self.focused) if self._view else None

    def action_nothing(self) -> None:
        """Do nothing."""

    def action_page(self, by: int) -> None:
        """Scroll the step by a page."""
        if self._view:
            self._view.scroll_relative(y=by * max(1, self._view.size.height - 2), animate=False)

    def _mode(self) -> list[Part]:
        return [(translate("Advanced") if self.state.advanced else translate("Simple"), "accent")]

    def action_help_here(self) -> None:
        """Help on the field in use, and the step's lessons."""
        question = self._question()
        self.app.push_screen(LessonScreen(question, self.step.topics(self.state.draft)))
