"""One query of a result opened: its documents before and after, the right ones marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.message import Message

from tunewiz.backends.runs.run import Run
from tunewiz.language import N_, translate
from tunewiz.printable import printable
from tunewiz.tui.panels.evidence import Found, Opened, Query, opened
from tunewiz.tui.screens.kinds import Dialog
from tunewiz.tui.widgets.drawing import Line, fit, wrap_text
from tunewiz.tui.widgets.labels import KeyHints
from tunewiz.tui.widgets.sheet import Story

WIDE = 100  # cells from which both rankings stand side by side
_MOST = 400  # characters of a document


class QueryStory(Story):
    """The query, its right documents, both rankings."""

    def __init__(self, query: Query) -> None:
        super().__init__()
        self.subject = query
        self.found: Opened | None = None

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """Side by side where there is room."""
        numbers = f"{self.subject.before:.3f} → {self.subject.after:.3f}"
        drawn: list[Line] = list(wrap_text(printable(self.subject.text, 1000), width, "strong"))
        drawn += [[(numbers, "good" if self.subject.gain > 0 else "bad")], []]
        if self.found is None:
            return [*drawn, [(translate("Reading the rankings ..."), "dim")]]
        drawn += _right_ones(self.found, width)
        if self.found.before or self.found.after:
            drawn += _beside(self.found, width) if width >= WIDE else _below(self.found, width)
        elif not self.found.answers:
            drawn.append([(translate("This run kept no rankings."), "dim")])
        for answer in self.found.answers:
            labels = (N_("expected"), N_("before"), N_("after"))
            texts = ((answer.expected, "dim"), (answer.before, "raw"), (answer.after, "smooth"))
            for label, (text, style) in zip(labels, texts, strict=True):
                drawn.append([(translate(label), "accent")])
                drawn += wrap_text(printable(" ".join(text.split()), 2000) or "—", width, style)
        return drawn


def _right_ones(found: Opened, width: int) -> list[Line]:
    drawn: list[Line] = []
    for text, before, after in found.right[:5]:
        ranks = f"{_rank(before)} → {_rank(after)}"
        better = bool(after) and (not before or after < before)
        style = "dim" if before == after else "good" if better else "bad"
        head = translate("right: rank {ranks}").format(ranks=ranks)
        drawn.append([("✓ ", "good"), (head, style)])
        drawn += [[("  ", "plain"), *line] for line in wrap_text(_shown(text), max(10, width - 2))[:3]]
    return [*drawn, []] if drawn else []


def _rank(rank: int) -> str:
    return str(rank) if rank else "—"


def _shown(text: str) -> str:
    return printable(" ".join(text.split()), _MOST)


def _beside(found: Opened, width: int) -> list[Line]:
    room = (width - 3) // 2
    sides = [_ranked(found.before, room), _ranked(found.after, room)]
    heads = [(translate(N_("before")), "accent")], [(translate(N_("after")), "accent")]
    drawn: list[Line] = [[*fit(heads[0], room), ("   ", "plain"), *fit(heads[1], room)]]
    for row in range(max(map(len, sides))):
        left, right = (side[row] if row < len(side) else [] for side in sides)
        drawn.append([*fit(left, room), (" │ ", "dim"), *fit(right, room)])
    return drawn


def _below(found: Opened, width: int) -> list[Line]:
    drawn: list[Line] = []
    for title, ranking in ((N_("before"), found.before), (N_("after"), found.after)):
        drawn += [[(translate(title), "accent")], *_ranked(ranking, width), []]
    return drawn


def _ranked(ranking: Sequence[Found], width: int) -> list[Line]:
    """Two lines a document at most."""
    drawn: list[Line] = []
    for one in ranking:
        mark = "✓" if one.right else " "
        first, *rest = wrap_text(_shown(one.text), max(8, width - 13)) or [[("—", "dim")]]
        style = "good" if one.right else "plain"
        head: Line = [(f"{mark}{one.rank:3} ", style), (f"{one.score:6.3f} ", "dim")]
        drawn.append([*head, *((text, style) for text, _ in first)])
        drawn += [[(" " * 12, "plain"), *((text, style) for text, _ in line)] for line in rest[:1]]
    return drawn or [[("—", "dim")]]


class QueryScreen(Dialog[None]):
    """Scrolls; read in a thread."""

    CSS_PATH = "query.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "leave", N_("Close")),
        Binding("down,j", "scroll(2)", N_("Scroll"), key_display="↑↓"),
        Binding("up,k", "scroll(-2)", show=False),
        Binding("pagedown,space", "scroll(12)", show=False),
        Binding("pageup", "scroll(-12)", show=False),
    ]

    class Read(Message):
        """The rankings were read."""

        def __init__(self, found: Opened) -> None:
            super().__init__()
            self.found = found

    def __init__(self, run: Run, query: Query) -> None:
        super().__init__()
        self.run = run
        self.subject = query

    def compose(self) -> ComposeResult:
        """One story that scrolls."""
        with Vertical(id="box"), VerticalScroll(id="text", can_focus=False):
            yield QueryStory(self.subject)
        yield KeyHints()

    def on_mount(self) -> None:
        """Read it."""
        self._read()

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _read(self) -> None:
        self.post_message(self.Read(opened(self.run, self.subject)))

    def on_query_screen_read(self, message: Read) -> None:
        """Tell it."""
        story = self.query_one(QueryStory)
        story.found = message.found
        story.retell()

    def action_scroll(self, by: int) -> None:
        """Up and down."""
        self.query_one("#text").scroll_relative(y=by, animate=False)
