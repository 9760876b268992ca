"""A step on the screen: what is decided here, what belongs to the step alone, and a form of its questions."""

from __future__ import annotations

from collections.abc import Iterable

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widget import Widget

from tui.forms.form import Form
from tui.forms.questions import Key, Question
from tui.steps import asked
from tui.steps.base import Step
from tui.widgets.words import Words
from tui.wizard.state import State


class View(VerticalScroll, can_focus=False):
    """Shows a :class:`State`; steps with more than a form extend it. It never changes the state: it posts answers."""

    def __init__(self, step: Step, advanced: bool) -> None:
        super().__init__()
        self.step = step
        self.advanced = advanced

    def compose(self) -> ComposeResult:
        """From the top: the intro, the step's own part, the form."""
        yield Words(self.step.intro, classes="view--intro")
        yield from self.above()
        yield Form(roomy=not self.advanced)
        yield from self.below()

    def above(self) -> Iterable[Widget]:
        """What stands above the form."""
        return ()

    def below(self) -> Iterable[Widget]:
        """What stands below the form."""
        return ()

    @property
    def form(self) -> Form:
        """The form of the step's questions."""
        return self.query_one(Form)

    async def show(self, state: State) -> None:
        """Show ``state``."""
        items = asked(self.step, state.draft, self.advanced)
        await self.form.ask(items, state.draft, state.problems_of(self.step), state.reasons())

    def question_at(self, widget: Widget | None) -> Question | None:
        """The question that ``widget`` belongs to."""
        return self.form.question_at(widget)

    def focus_on(self, path: Key) -> bool:
        """Put the cursor on the question of ``path``; whether there is one."""
        return self.form.focus_on(path)

    def focus_first(self) -> None:
        """Put the cursor where one begins."""
        first = next((widget for widget in self.query(Widget) if widget.focusable), None)
        if first:
            first.focus(scroll_visible=False)
