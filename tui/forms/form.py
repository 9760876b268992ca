"""Questions as a form: a row each, with its control, its key, why this value, and what is wrong with it."""

from __future__ import annotations

from asyncio import Lock, gather, sleep
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
        self._words: list[Static | None] = [None, None]  # why this value, and what is wrong with it
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
        self._tell(0, Text(why) if self.roomy or reason else Text())
        self._tell(1, Text("\n").join(problem_text(problem) for problem in problems))
        self.set_class(any(problem.severity == "error" for problem in problems), "-error")

    def take_focus(self) -> None:
        """Put the cursor into the control."""
        target = next((widget for widget in self.control.query(Widget) if widget.focusable), None)
        if target:
            target.focus()

    def _tell(self, place: int, text: Text) -> None:
        """Words below the line; most rows have none, and no widget for them."""
        words = self._words[place]
        if words is None:
            if not text.plain:
                return
            words = self._words[place] = Static(text, classes=("row--why", "row--problem")[place])
            # Why a value is a good one comes before what is wrong with it.
            self.mount(words, before=self._words[1] if not place else None)
            return
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

#: Rows that are made before a form is first painted, and how many at a time after that: each is half a dozen widgets,
#: and a step with fifty of them would be half a second late. What is below the edge of the screen is not missed.
FIRST: Final = 8
PORTION: Final = 6
_PAINTED: Final = 0.05  # seconds after which the first ones are painted: Textual does so 60 times a second
_BREATH: Final = 0.02  # seconds between two portions


class Form(Vertical):
    """Rows for questions, those further down made once the first ones are seen.

    ``roomy``: with reasons and meanings spelt out.
    """

    def __init__(self, roomy: bool) -> None:
        super().__init__()
        self.roomy = roomy
        self._items: list[Item] = []
        self._wanted: Question | None = None  # what the cursor goes to once it is there
        self._told: tuple[Draft, Sequence[Problem], Mapping[str, str]] | None = None
        self._built = 0
        self._building = Lock()
        #: The rows that are there, from the top.
        self.rows: list[Row] = []

    async def ask(
        self, items: Iterable[Item], draft: Draft, problems: Sequence[Problem], reasons: Mapping[str, str]
    ) -> None:
        """Ask ``items``, show ``draft`` and each problem at its row; ``reasons`` are those of suggestions."""
        asked = list(items)
        self._told = (draft, problems, reasons)
        if asked != self._items:
            focused = self.question_at(self.screen.focused)
            self._items, self._built = asked, 0
            await self._build(max(FIRST, len(self.children)))
            if focused:
                self.focus_on(focused.path)
            if not self.whole:
                self.call_later(self._complete)
        self._show(self.rows)

    def _show(self, rows: Iterable[Row]) -> None:
        if self._told is None:
            return
        draft, problems, reasons = self._told
        placed = place(problems, self._asked)
        for row in rows:
            row.show(draft, placed.get(row.question.key, ()), reasons.get(row.question.key, ""))

    @property
    def _asked(self) -> list[Question]:
        return [item for item in self._items if isinstance(item, Question)]

    def question_at(self, widget: Widget | None) -> Question | None:
        """The question that ``widget`` belongs to."""
        around = widget.ancestors_with_self if widget else ()
        row = next((one for one in around if isinstance(one, Row)), None)
        return row.question if row and row in self.rows else None

    def focus_on(self, path: Key) -> bool:
        """Put the cursor on the question at ``path``, or the first one below or above it; whether there is one."""
        self._wanted = found = nearest(path, self._asked)
        self._take_focus()
        return found is not None

    def _take_focus(self) -> None:
        for row in self.rows:
            if self._wanted is not None and row.question == self._wanted:
                self._wanted = None
                row.take_focus()
                return

    async def _build(self, count: int) -> None:
        """The first ``count`` rows. Those whose question stays are kept, with their cursor; others are made anew."""
        async with self._building:
            if self._wanted in self._items:
                count = max(count, self._items.index(self._wanted) + 1)
            items, draft = self._items[:count], self._told[0] if self._told else Draft()
            kept = {row.question.key: row for row in self.rows if row.question in items}
            headings = {one.item: one for one in self.children if isinstance(one, Title) and one.item in items}
            with self.app.batch_update():
                staying = (*kept.values(), *headings.values())
                await self.remove_children([child for child in self.children if child not in staying])
                widgets = [self._widget(item, kept, headings, draft) for item in items]
                mounted = []
                for number, widget in enumerate(widgets):
                    if widget.parent is None:
                        mounted.append(self.mount(widget, before=number if number < len(self.children) else None))
                await gather(*mounted)
                fresh = [one for one in widgets if isinstance(one, Row) and one not in kept.values()]
                self.rows = [widget for widget in widgets if isinstance(widget, Row)]
                self._show(fresh)
                self._built = len(widgets)
        self._take_focus()

    @property
    def whole(self) -> bool:
        """Whether all rows are there."""
        return self._built >= len(self._items)

    async def _complete(self) -> None:
        """The other rows, once the first ones are seen; keys are answered between any two portions."""
        await sleep(_PAINTED)
        while self.is_attached and not self.whole:
            await self._build(len(self.children) + PORTION)
            await sleep(_BREATH)

    def _widget(
        self, item: Item, kept: Mapping[str, Row], headings: Mapping[Heading, Title], draft: Draft
    ) -> Row | Title:
        if isinstance(item, Heading):
            return headings.get(item) or Title(item)
        return kept.get(item.key) or Row(item, draft, self.roomy)


class Title(Static):
    """Where a section begins."""

    def __init__(self, item: Heading) -> None:
        text = Text(item.title, style="bold").append(f"  {'.'.join(item.path)}", style="not bold dim")
        super().__init__(text, classes="form--heading")
        self.item = item


def place(problems: Sequence[Problem], asked: Sequence[Question]) -> dict[str, list[Problem]]:
    """``problems`` by the key of the question they belong to."""
    placed: dict[str, list[Problem]] = {}
    for problem in problems:
        question = nearest(tuple(problem.where.key.split(".")), asked) if problem.where.key else None
        if question:
            placed.setdefault(question.key, []).append(problem)
    return placed
