"""Widgets drawn line by line, which send only the cells that changed down the line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.events import Resize
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from tunewiz.tui.widgets.drawing import Line, changed_cells, fit

# A widget drawn line by line, which sends only the cells that changed down the line.


#: The colours of each style of text by the names of the theme's variables, its background if it has one of its own, and
#: whether it is bold. Component classes of Textual would say the same, at the price of matching a style sheet for each
#: of them in each widget whenever the widget is made, gets the focus or loses it: 5 ms a widget.
_LOOKS: Final[Mapping[str, tuple[str, str, bool]]] = {
    "plain": ("foreground", "", False),
    "dim": ("dim", "", False),
    "strong": ("foreground", "", True),
    "accent": ("accent", "", False),
    "current": ("accent", "", True),
    "good": ("success", "", False),
    "warn": ("warning", "", False),
    "bad": ("error", "", False),
    "raw": ("raw", "", False),
    "smooth": ("primary", "", False),
    "eval": ("accent", "", False),
    "cursor": ("block-cursor-foreground", "block-cursor-background", False),
    "key": ("accent", "", True),
    "match": ("background", "warning", False),
}


class Sheet(Widget):
    """Subclasses say what their lines are; :meth:`redraw` compares them with those on the screen."""

    _drawn: Sequence[Line] = ()
    _drawn_width = 0

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        self._looks: dict[str, Style] = {}
        self._strips: dict[int, Strip] = {}
        self._seen: tuple[Style, str] = (Style.null(), "")  # what stands behind, and the theme
        self._unseen = True
        super().__init__(id=id, classes=classes)

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """What is to be seen in ``width`` × ``height`` cells; pure in the widget's state."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw again; only cells that look different are repainted."""
        width, height = self.content_size
        if not width or not height:
            return
        fresh = self._fitted(width, height)
        before, self._drawn = self._drawn, fresh
        if width != self._drawn_width or len(before) != height:
            self._drawn_width = width
            self._strips.clear()
            self.refresh()
            return
        regions = []
        for row in range(height):
            span = changed_cells(before[row], fresh[row])
            if span:
                self._strips.pop(row, None)
                regions.append(Region(span[0], row, span[1], 1))
        if regions:
            self.refresh(*regions)

    def _fitted(self, width: int, height: int) -> list[Line]:
        fresh: list[Line] = [fit(line, width) for line in list(self.lines(width, height))[:height]]
        return fresh + [fit((), width)] * (height - len(fresh))

    def on_resize(self, event: Resize) -> None:
        """A new size is drawn from scratch."""
        self.redraw()

    def notify_style_update(self) -> None:
        """The theme, what lies behind, or only the border may be another: see when something is drawn."""
        super().notify_style_update()
        self._unseen = True

    def render_line(self, y: int) -> Strip:
        """Line ``y`` in the colours of the theme."""
        width, height = self.content_size
        if width != self._drawn_width or height != len(self._drawn):
            # Painted before it was told of its size: blank, it would be painted twice.
            self._drawn, self._drawn_width = self._fitted(width, height), width
            self._strips.clear()
        if y >= height:
            return Strip.blank(width, self.rich_style)
        if self._unseen:
            self._see()
        if y not in self._strips:
            style = self._style
            self._strips[y] = Strip([Segment(text, style(name)) for text, name in self._drawn[y] if text], width)
        return self._strips[y]

    def _see(self) -> None:
        """Colours are found anew if they changed; a border with the focus leaves what is within as it is."""
        seen, self._unseen = (self.rich_style, self.app.theme), False
        if seen != self._seen:
            self._seen = seen
            self._looks.clear()
            self._strips.clear()

    def _style(self, name: str) -> Style:
        if name not in self._looks:
            colours = self.app.theme_variables
            front, behind, bold = _LOOKS[name]
            colour = Color.parse(colours[front]).rich_color
            ground = Color.parse(colours[behind]).rich_color if behind else None
            line = True if name == "current" else None  # the focus must be seen without colour
            self._looks[name] = self._seen[0] + Style(color=colour, bgcolor=ground, bold=bold or None, underline=line)
        return self._looks[name]


# A sheet as long as what it tells, for use inside something that scrolls.


class Story(Sheet):
    """Its height follows its lines."""

    DEFAULT_CSS = """
    Story { height: auto; width: 100%; }
    """

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """One row a line."""
        return len(self.lines(width, 1 << 16))

    def retell(self) -> None:
        """What is told changed, and perhaps its length."""
        self.refresh(layout=True)
        self.redraw()

    def relabel(self) -> None:
        """The language changed."""
        self.retell()
