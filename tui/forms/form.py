"""Questions as a form: a row each, with its control, its key, why this value, and what is wrong with it."""

from __future__ import annotations

from asyncio import gather
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Static

from tunewiz.presets.drafts.draft import Draft
from tunewiz.problems import Problem, say
from tunewiz.tui.forms.controls import Cards, Control, Flag, Many, Pick
from tunewiz.tui.forms.entry import Entry
from tunewiz.tui.forms.questions import Heading, Key, Question, nearest

# One question on the screen: what it is called, its control, its key, why this value, and what is wrong with it.


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
        self.set_class(question.is_long, "-long")

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
        self._tell(".row--problem", Text("\n").join(problem_text(problem) for problem in problems))
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


def problem_text(problem: Problem) -> Text:
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


# Questions as a form; it is built again only when the questions change.


Item = Question | Heading


class Form(Vertical):
    """Rows for questions. ``roomy``: with reasons and meanings spelt out."""

    def __init__(self, roomy: bool) -> None:
        super().__init__()
        self.roomy = roomy
        self._items: list[Item] = []
        #: The rows, from the top.
        self.rows: list[Row] = []

    async def ask(
        self, items: Iterable[Item], draft: Draft, problems: Sequence[Problem], reasons: Mapping[str, str]
    ) -> None:
        """Ask ``items``, show ``draft`` and each problem at its row; ``reasons`` are those of suggestions."""
        asked = list(items)
        if asked != self._items:
            focused = self.question_at(self.screen.focused)
            await self._build(asked, draft)
            if focused:
                self.focus_on(focused.path)
        placed = place(problems, [row.question for row in self.rows])
        for row in self.rows:
            row.show(draft, placed.get(row.question.key, ()), reasons.get(row.question.key, ""))

    def question_at(self, widget: Widget | None) -> Question | None:
        """The question that ``widget`` belongs to."""
        around = widget.ancestors_with_self if widget else ()
        row = next((one for one in around if isinstance(one, Row)), None)
        return row.question if row and row in self.rows else None

    def focus_on(self, path: Key) -> bool:
        """Put the cursor on the question at ``path``, or the first one below or above it; whether there is one."""
        found = nearest(path, [row.question for row in self.rows])
        for row in self.rows:
            if found is not None and row.question == found:
                row.take_focus()
                return True
        return False

    async def _build(self, items: list[Item], draft: Draft) -> None:
        """Rows whose question stays are kept, with their cursor; the others are made anew."""
        kept = {row.question.key: row for row in self.rows if row.question in items}
        with self.app.batch_update():
            await self.remove_children([child for child in self.children if child not in kept.values()])
            mounted = []
            widgets = [self._widget(item, kept, draft) for item in items]
            for number, widget in enumerate(widgets):
                if widget.parent is None:
                    mounted.append(self.mount(widget, before=number if number < len(self.children) else None))
            await gather(*mounted)
        self._items = items
        self.rows = [widget for widget in widgets if isinstance(widget, Row)]

    def _widget(self, item: Item, kept: Mapping[str, Row], draft: Draft) -> Widget:
        if isinstance(item, Heading):
            return _heading(item)
        return kept.get(item.key) or Row(item, draft, self.roomy)


def place(problems: Sequence[Problem], asked: Sequence[Question]) -> dict[str, list[Problem]]:
    """``problems`` by the key of the question they belong to."""
    placed: dict[str, list[Problem]] = {}
    for problem in problems:
        question = nearest(tuple(problem.where.key.split(".")), asked) if problem.where.key else None
        if question:
            placed.setdefault(question.key, []).append(problem)
    return placed


def _heading(item: Heading) -> Static:
    text = Text(item.title, style="bold")
    return Static(text.append(f"  {'.'.join(item.path)}", style="not bold dim"), classes="form--heading")
