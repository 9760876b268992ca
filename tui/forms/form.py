"""Questions as a form; it is built again only when the questions change."""

from __future__ import annotations

from asyncio import gather
from collections.abc import Iterable, Mapping, Sequence

from rich.text import Text
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Static

from data.problems import Problem
from presets.draft import Draft
from tui.forms.questions import Heading, Key, Question, nearest
from tui.forms.row import Row

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
