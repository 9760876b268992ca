"""The end of the run's log, with search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Final

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.events import MouseScrollDown, MouseScrollUp
from textual.message import Message

from tunewiz.language import N_, translate
from tunewiz.tui.panels.panel import Panel, View
from tunewiz.tui.widgets.drawing import Line, Part

SEEN: Final = 2000  # of the last lines, the longest of which bounds how far one moves sideways


class LogPanel(Panel):
    """Follows the end until it is scrolled; back at the end it follows again."""

    TITLE = N_("Log")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", N_("Search"), key_display="/"),
        Binding("n", "next(-1)", N_("Next match")),
        Binding("w", "wrap", N_("Wrap")),
        Binding("left,h", "shift(-20)", N_("Sideways"), key_display="←→"),
        Binding("right,l", "shift(20)", show=False),
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
    wraps = False
    left = 0  # cells of each line that are out of sight at the left, where lines are not wrapped

    def show(self, view: View) -> None:
        """Render the log of ``view``."""
        if view.log is not self.text:
            self.hold(view.log)

    def hold(self, text: tuple[str, ...]) -> None:
        """Show ``text``, clean lines from old to new."""
        self.text = text
        self.redraw()

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """The lines in sight: wrapped at the width, or the part of each that is moved to."""
        if not self.text:
            return [[(translate("The log is empty so far."), "dim")]]
        top = self._first(height)
        if not self.wraps:
            return [_highlighted(_from(line, self.left), self.sought) for line in self.text[top : top + height]]
        drawn: list[Line] = []
        for line in self.text[top : top + height]:
            pieces = list(_pieces(line, width)) or [""]
            drawn += [_highlighted(piece, self.sought) for piece in pieces]
        # Following the end, the last line is what counts; else the first.
        return drawn[-height:] if self.top is None else drawn[:height]

    def _first(self, height: int) -> int:
        last = max(0, len(self.text) - (1 if self.wraps and self.top is not None else height))
        return last if self.top is None else min(self.top, last)

    def action_wrap(self) -> None:
        """Long lines on several, or cut; the place stays."""
        self.wraps, self.left = not self.wraps, 0
        self._tell()
        self.redraw()

    def action_shift(self, by: int) -> None:
        """Left and right in lines that are cut."""
        if not self.wraps:
            longest = max((cell_len(line) for line in self.text[-SEEN:]), default=0)
            self.left = max(0, min(self.left + by, longest - self.content_size.width // 2))
            self._tell()
            self.redraw()

    def action_scroll(self, by: int) -> None:
        """Move ``by`` lines; at the end, follow it again."""
        height = self.content_size.height
        top = max(0, self._first(height) + by)
        self.top = None if top >= len(self.text) - (1 if self.wraps else height) else top
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
        elif self.left:
            told = translate("from column {column}").format(column=self.left + 1)
        self.border_subtitle = told


def _from(line: str, left: int) -> str:
    """``line`` without its first ``left`` cells; a wide character of which half is left becomes a blank."""
    at = 0
    for place, character in enumerate(line):
        if at >= left:
            return " " * (at - left) + line[place:]
        at += cell_len(character)
    return ""


def _pieces(line: str, width: int) -> Iterator[str]:
    """``line`` in pieces of at most ``width`` cells, broken anywhere, as a terminal does."""
    begun, at = 0, 0
    for place, character in enumerate(line):
        size = cell_len(character)
        if at + size > width and place > begun:
            yield line[begun:place]
            begun, at = place, 0
        at += size
    if line[begun:]:
        yield line[begun:]


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
