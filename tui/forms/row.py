"""One question on the screen: what it is called, its control, its key, why this value, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Static

from data.problems import Problem, say
from presets.draft import Draft
from tui.forms.choosing import Cards, Many, Pick
from tui.forms.control import Control
from tui.forms.entry import Entry
from tui.forms.flag import Flag
from tui.forms.questions import Question

#: The first that suits a question asks it.
CONTROLS: Final[tuple[type[Control], ...]] = (Flag, Many, Cards, Pick, Entry)


def control(question: Question, draft: Draft, roomy: bool) -> Control:
    """The control that asks ``question``."""
    return next(kind for kind in CONTROLS if (roomy or not kind.roomy) and kind.suits(question))(question, draft)


class Row(Vertical):
    """A question with all that belongs to it. ``roomy`` rows also say why this value is a good one."""

    def __init__(self, question: Question, draft: Draft, roomy: bool) -> None:
        super().__init__()
        self.question = question
        self.roomy = roomy
        self.control = control(question, draft, roomy)
        self._seen: object = None
        self.set_class(isinstance(self.control, (Cards, Many)), "-stacked")
        self.set_class(roomy, "-roomy")

    def compose(self) -> ComposeResult:
        """Title, control and key on a line (or under each other), then the words about it."""
        with Horizontal(classes="row--line"):
            yield Static(Text(self.question.title), classes="row--title")
            if not self.has_class("-stacked"):
                yield self.control
            yield Static(Text(self.question.key), classes="row--key")
        if self.has_class("-stacked"):
            yield self.control
        yield Static(classes="row--why")
        yield Static(classes="row--problem")

    def show(self, draft: Draft, problems: Sequence[Problem], reason: str = "") -> None:
        """Show the draft's value and what is wrong with it; ``reason`` tells where a suggestion comes from."""
        path = self.question.path
        seen = (draft.value(path), draft.is_answered(path), list(problems), reason)
        if seen == self._seen:
            return
        self._seen = seen
        self.control.show(draft)
        self.set_class(draft.is_answered(self.question.path), "-answered")
        why = reason or ("" if isinstance(self.control, Cards) else self.question.why)
        self._tell(".row--why", Text(why) if self.roomy or reason else Text())
        self._tell(".row--problem", Text("\n").join(told(problem) for problem in problems))
        self.set_class(any(problem.severity == "error" for problem in problems), "-error")

    def take_focus(self) -> None:
        """Put the cursor into the control."""
        target = next((widget for widget in self.control.query(Widget) if widget.focusable), None)
        if target:
            target.focus()

    def _tell(self, selector: str, text: Text) -> None:
        words = self.query_one(selector, Static)
        words.update(text)
        words.display = bool(text.plain)


def told(problem: Problem) -> Text:
    """A problem beside its field: a mark, what is wrong, what to do; without the key, which stands there already."""
    mark = {"error": "✗", "warning": "⚠", "note": "·"}[problem.severity]
    if problem.code == "missing-key" and problem.fix:
        values = problem.fix.values
        missing = (
            say("Still to be filled in: {rule}, for example {example}.", **values)
            if "example" in values
            else say("Still to be filled in.")
        )
        return Text(f"○ {missing.text()}")
    text = problem.message.text()
    return Text(f"{mark} {text} {problem.fix.text() if problem.fix else ''}".rstrip())
