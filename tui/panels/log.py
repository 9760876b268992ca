"""The end of the run's log, with search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import MouseScrollDown, MouseScrollUp
from textual.message import Message

from tunewiz.language import N_, translate
from tunewiz.tui.panels.panel import Panel, View
from tunewiz.tui.widgets.drawing import Line, Part


class LogPanel(Panel):
    """Follows the end until it is scrolled; back at the end it follows again."""

    TITLE = N_("Log")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", N_("Search"), key_display="/"),
        Binding("n", "next(-1)", N_("Next")),
        Binding("N", "next(1)", show=False),
        Binding("up,k", "scroll(-1)", show=False),
        Binding("down,j", "scroll(1)", show=False),
        Binding("pageup", "scroll(-20)", show=False),
        Binding("pagedown", "scroll(20)", show=False),
        Binding("home,g", "scroll(-1000000)", show=False),
        Binding("end,G", "scroll(1000000)", show=False),
    ]

    class SearchWanted(Message):
        """The user wants to type what to look for."""

        def __init__(self, panel: LogPanel) -> None:
            super().__init__()
            self.panel = panel

    text: tuple[str, ...] = ()
    sought = ""
    top: int | None = None  # the first line in sight; None follows the end

    def show(self, view: View) -> None:
        """Render the log of ``view``."""
        if view.log is not self.text:
            self.hold(view.log)

    def hold(self, text: tuple[str, ...]) -> None:
        """Show ``text``, clean lines from old to new."""
        self.text = text
        self.redraw()

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """The lines in sight, cut at the width."""
        if not self.text:
            return [[(translate("The log is empty so far."), "dim")]]
        top = self._first(height)
        return [_highlighted(line, self.sought) for line in self.text[top : top + height]]

    def _first(self, height: int) -> int:
        last = max(0, len(self.text) - height)
        return last if self.top is None else min(self.top, last)

    def action_scroll(self, by: int) -> None:
        """Move ``by`` lines; at the end, follow it again."""
        height = self.content_size.height
        top = max(0, self._first(height) + by)
        self.top = None if top >= len(self.text) - height else top
        self._tell()
        self.redraw()

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Down with the wheel."""
        event.stop()
        self.action_scroll(3)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Up with the wheel."""
        event.stop()
        self.action_scroll(-3)

    def action_search(self) -> None:
        """Ask for what to look for."""
        self.post_message(self.SearchWanted(self))

    def seek(self, words: str) -> int:
        """Look for ``words`` in any case, newest first; how many lines have them."""
        self.sought = words.strip().lower()
        self.top = None
        count = len(self._matches())
        if count:
            self._go(self._matches()[-1])
        self._tell()
        self.redraw()
        return count

    def action_next(self, way: int) -> None:
        """The next match, upwards (-1) or downwards (1)."""
        matches = self._matches()
        if not matches:
            return
        here = self._first(self.content_size.height) + self.content_size.height // 2
        further = [number for number in matches if (number - here) * way > 0]
        self._go((further[0] if way > 0 else further[-1]) if further else matches[0 if way > 0 else -1])
        self.redraw()

    def _matches(self) -> list[int]:
        return [number for number, line in enumerate(self.text) if self.sought in line.lower()] if self.sought else []

    def _go(self, number: int) -> None:
        """Bring a line to the middle."""
        self.top = max(0, number - self.content_size.height // 2)

    def relabel(self) -> None:
        """The language changed."""
        super().relabel()
        self._tell()

    def _tell(self) -> None:
        """Below the text: matches, or that it does not follow the end."""
        told = ""
        if self.sought:
            told = translate("{count} lines match").format(count=len(self._matches()))
        elif self.top is not None:
            told = translate("End goes on following")
        self.border_subtitle = told


def _highlighted(line: str, sought: str) -> list[Part]:
    if not sought:
        return [(line, "plain")]
    parts: list[Part] = []
    lowered, at = line.lower(), 0
    # Lower case may be longer than the text (İ): then places do not match and nothing is marked.
    while len(lowered) == len(line) and (found := lowered.find(sought, at)) >= 0:
        parts += [(line[at:found], "plain"), (line[found : found + len(sought)], "match")]
        at = found + len(sought)
    return [part for part in (*parts, (line[at:], "plain")) if part[0]]
