"""Questions as a form: a row each, with its control, its key, why this value, and what is wrong with it."""

from __future__ import annotations

from asyncio import Lock, gather, sleep
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final, Self

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import ScrollableContainer, Vertical
from textual.events import Resize
from textual.geometry import Region, Size, Spacing
from textual.widget import Widget
from textual.widgets import Static

from tunewiz.presets.drafts.draft import Draft
from tunewiz.problems import Problem, say
from tunewiz.tui.forms.controls import Cards, Control, Flag, Many, Pick
from tunewiz.tui.forms.entry import Entry
from tunewiz.tui.forms.questions import Heading, Key, Question, nearest
from tunewiz.tui.widgets.drawing import Line, fit, spread, text_of, wrap_text
from tunewiz.tui.widgets.sheet import Sheet

# One question on the screen: what it is called, its control, its key, why this value, and what is wrong with it.


#: The first that suits a question asks it.
CONTROLS: Final[tuple[type[Control], ...]] = (Flag, Many, Cards, Pick, Entry)


def control(question: Question, draft: Draft, roomy: bool) -> Control:
    """The control that asks ``question``."""
    return next(kind for kind in CONTROLS if (roomy or not kind.roomy) and kind.suits(question))(question, draft)


#: Cells of the title before a control and the most of the key behind it, on a screen of so many cells and more: a
#: narrow one has less for titles and none for keys, a wide one room for the longest of both.
_ROOM: Final = ((140, 30, 40), (70, 22, 28), (0, 18, 0))


class Titled(Sheet):
    """A title with what it is the title of beside it. The title is drawn: a widget more costs a millisecond or two."""

    DEFAULT_CSS = """
    Titled { width: 100%; height: auto; }
    """

    def __init__(self, title: str, beside: Widget) -> None:
        super().__init__()
        self.beside = beside
        self._title = title
        beside.styles.margin = self._around(self.app.size.width)

    def compose(self) -> ComposeResult:
        """What stands beside the title; the title itself is drawn."""
        yield self.beside

    def _around(self, width: int) -> tuple[int, int, int, int]:
        """The cells that the widget leaves at its top, right, bottom and left."""
        return (0, 0, 0, indent(width))

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """The title; the focus is seen without colour too."""
        return [[(fit_words(self._title, indent(self.app.size.width) - 1), self._look)]]

    @property
    def _look(self) -> str:
        return "current" if self.has_pseudo_class("focus-within") else "strong"

    def on_descendant_focus(self) -> None:
        """Mark the title."""
        self.call_later(self.redraw)

    def on_descendant_blur(self) -> None:
        """Unmark it."""
        self.call_later(self.redraw)

    def on_resize(self, event: Resize) -> None:
        """A narrow screen has less room for titles, and none for keys."""
        around = Spacing(*self._around(self.app.size.width))
        if self.beside.styles.margin != around:
            self.beside.styles.margin = around
        super().on_resize(event)


def indent(width: int) -> int:
    """The cells before what is beside a title, on a screen of ``width``."""
    return _room(width)[0]


def _room(width: int) -> tuple[int, int]:
    return next((title, key) for least, title, key in _ROOM if width >= least)


def fit_words(text: str, width: int) -> str:
    """``text`` cut to ``width`` cells."""
    return text_of(fit([(text, "plain")], width)).rstrip()


class Row(Titled):
    """A question with all that belongs to it. ``roomy`` rows also say why this value is a good one."""

    def __init__(self, question: Question, draft: Draft, roomy: bool) -> None:
        self.question = question
        self.roomy = roomy
        self.control = control(question, draft, roomy)
        self.stacked = isinstance(self.control, (Cards, Many))
        self._told_of: object = None
        self._why = ""
        #: What is wrong with the value, as it is told below it.
        self.wrong: list[str] = []
        self._wrong_look = "warn"
        super().__init__(question.title, self.control)
        self.set_class(roomy, "-roomy")

    def _around(self, width: int) -> tuple[int, int, int, int]:
        return (1, 0, 0, 0) if self.stacked else (0, self._room_for_key(width), 0, indent(width))

    def _room_for_key(self, width: int) -> int:
        most = _room(width)[1]
        return min(most, len(self.question.key) + 1) if self.question.is_long and most else most

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """Title and key, the control's lines below or between them, then the words about it."""
        screen = self.app.size.width
        room = self._room_for_key(screen)
        title = [(fit_words(self._title, (width - room if self.stacked else indent(screen)) - 1), self._look)]
        key = fit_words(self.question.key, room - 1) if room else ""
        below = self._below(width)
        covered = max(0, height - 1 - len(below))
        return [spread(title, [(key, "dim")], width), *[[] for _ in range(covered)], *below]

    def _below(self, width: int) -> list[Line]:
        if not self._why and not self.wrong:
            return []
        before = " " * (0 if self.stacked else indent(self.app.size.width))
        told = [(self._why, "dim"), *((text, self._wrong_look) for text in self.wrong)]
        return [line for text, look in told for line in wrap_text(text, width, look, before)]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """The control's lines, and those about it. What is one line anyway need not be laid out to know it."""
        control = super().get_content_height(container, viewport, width) if self.stacked else 1
        return control + len(self._below(width))

    def show(self, draft: Draft, problems: Sequence[Problem], reason: str = "") -> None:
        """Show the draft's value and what is wrong with it; ``reason`` tells where a suggestion comes from."""
        path = self.question.path
        seen = (draft.value(path), draft.is_answered(path), list(problems), reason)
        if seen == self._told_of or not self.control.children:  # the step may be left before the row is built
            return
        self._told_of = seen
        self.control.show(draft)
        why = reason or ("" if isinstance(self.control, Cards) else self.question.why)
        told = (
            why if self.roomy or reason else "",
            [problem_text(problem, self.question.is_path) for problem in problems],
        )
        self._wrong_look = "bad" if any(problem.severity == "error" for problem in problems) else "warn"
        if told != (self._why, self.wrong):
            self._why, self.wrong = told
            self.refresh(layout=True)
            self.redraw()

    def take_focus(self) -> None:
        """Put the cursor into the control, and the row where it can be seen once it has its place."""
        target = next((widget for widget in self.control.query(Widget) if widget.focusable), None)
        if target:
            target.focus(scroll_visible=False)  # that would scroll at once, by where the row has stood so far
            self.scroll_visible(animate=False)


def problem_text(problem: Problem, is_path: bool) -> str:
    """A problem beside its field: a mark, what is wrong, what to do; without the key, which stands there already.

    Of a field that ``is_path`` the whole rule, with all that may stand in the file of a preset, says too much.
    """
    mark = {"error": "✗", "warning": "⚠", "note": "·"}[problem.severity]
    if problem.code == "missing-key" and problem.fix:
        values = problem.fix.values
        missing = say("Still to be filled in.")
        if "example" in values:
            rule = say("the path of a file or folder") if is_path else values["rule"]
            missing = say("Still to be filled in: {rule}, for example {example}.", **{**values, "rule": rule})
        return f"○ {missing.text()}"
    return f"{mark} {problem.told()}"


# Questions as a form; it is built again only when the questions change.


Item = Question | Heading

#: Rows that are made before a form is first painted, and how many at a time after that: each is three widgets, and a
#: step with fifty of them would be a second late, in which keys wait. Those below the edge of the screen are made once
#: they come near it.
FIRST: Final = 5
PORTION: Final = 6
#: Rows and lines below the last one seen, or the one in use, that are made before somebody goes there.
AHEAD: Final = 6
_PAINTED: Final = 0.05  # seconds after which the first ones are painted: Textual does so 60 times a second
_BREATH: Final = 0.02  # seconds between two portions


class Form(Vertical):
    """Rows for questions, those further down made once they are nearly seen, or the cursor comes near them.

    ``roomy``: with reasons and meanings spelt out.
    """

    #: As :data:`AHEAD`; tests that look at all rows raise it.
    ahead: ClassVar[int] = AHEAD

    def __init__(self, roomy: bool) -> None:
        super().__init__()
        self.roomy = roomy
        self._items: list[Item] = []
        self._wanted: Question | None = None  # what the cursor goes to once it is there
        self._told: tuple[Draft, Sequence[Problem], Mapping[str, str]] | None = None
        self._built = 0
        self._completing = False
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
            if focused and not self.focus_on(focused.path) and self.rows:
                self.rows[0].take_focus()
            self._go_on()
        self._show(self.rows)

    def on_mount(self) -> None:
        """Rows are wanted where somebody scrolls to."""
        around = self._scrolled
        if around is not None:
            self.watch(around, "scroll_y", self._go_on, init=False)

    def on_resize(self) -> None:
        """There may be room for more."""
        self._go_on()

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """As its base; rows that come and go are painted themselves, and nothing else stands here to be painted."""
        return super().refresh(*regions, repaint=repaint and not layout, layout=layout, recompose=recompose)

    def on_descendant_focus(self) -> None:
        """The next key may lead to the rows below: it waits until the screen has made them."""
        if self.is_attached and not self.whole:
            self.screen.call_later(self._reach)

    async def _reach(self) -> None:
        question = self.question_at(self.screen.focused) if self.is_attached else None  # the step may be left by now
        if question in self._items and not self.whole:
            await self._build(max(self._built, self._items.index(question) + 1 + self.ahead))

    async def finish(self) -> None:
        """Make all rows that are missing."""
        if self.is_attached and not self.whole:
            await self._build(len(self._items))

    def _go_on(self) -> None:
        """Make what is missing of what can be seen."""
        if self.is_attached and not self.complete and not self._completing:
            # A task of its own: keys pass through the form's queue, and would wait until all rows are there.
            self._completing = True
            self.run_worker(self._complete(), group="rows")

    @property
    def _scrolled(self) -> ScrollableContainer | None:
        return next((one for one in self.ancestors if isinstance(one, ScrollableContainer)), None)

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
        if self._wanted is not None:
            self._go_on()
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
                going = [child for child in self.children if child not in staying]
                if any(one in going for one in (self.screen.focused.ancestors if self.screen.focused else ())):
                    self.screen.set_focus(None)  # else Textual goes to what comes next, and scrolls there
                await self.remove_children(going)
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
                # The lines of the rows to come: the bar beside the form is that of all of them.
                self.styles.padding = (0, 0, len(self._items) - self._built, 0)
        self._take_focus()

    @property
    def whole(self) -> bool:
        """Whether all rows are there."""
        return self._built >= len(self._items)

    @property
    def complete(self) -> bool:
        """Whether all rows are there that can be seen, that the cursor is to go to, or that may be next."""
        return self.whole or (self._wanted is None and not self._lacking)

    @property
    def _lacking(self) -> bool:
        """Whether there is room for rows that are not there yet; what was not laid out yet counts as a line."""
        around = self._scrolled
        if around is None:
            return True
        lines = sum(child.outer_size.height or 1 for child in self.children)
        return self.virtual_region.y + lines < around.scroll_offset.y + around.size.height + self.ahead

    async def _complete(self) -> None:
        """The other rows that are seen, once the first ones are; keys are answered between any two portions."""
        try:
            await sleep(_PAINTED)
            while self.is_attached and not self.complete and all(one.display for one in self.ancestors_with_self):
                await self._build(self._built + PORTION)
                await sleep(_BREATH)
        finally:
            self._completing = False

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
