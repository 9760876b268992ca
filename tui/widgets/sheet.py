"""Widgets drawn line by line, which send only the cells that changed down the line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual.events import Resize
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from tunewiz.tui.widgets.drawing import STYLES, Line, changed_cells, fit

# A widget drawn line by line, which sends only the cells that changed down the line.


class Sheet(Widget):
    """Subclasses say what their lines are; :meth:`redraw` compares them with those on the screen."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"sheet--{name}" for name in STYLES}

    DEFAULT_CSS = """
    Sheet {
        .sheet--plain { color: $foreground; }
        .sheet--dim { color: $dim; }
        .sheet--strong { color: $foreground; text-style: bold; }
        .sheet--accent { color: $accent; }
        .sheet--good { color: $success; }
        .sheet--warn { color: $warning; }
        .sheet--bad { color: $error; }
        .sheet--raw { color: $raw; }
        .sheet--smooth { color: $primary; }
        .sheet--eval { color: $accent; }
        .sheet--cursor { color: $block-cursor-foreground; background: $block-cursor-background; }
        .sheet--key { color: $accent; text-style: bold; }
        .sheet--match { color: $background; background: $warning; }
    }
    """

    _drawn: Sequence[Line] = ()
    _drawn_width = 0

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """What is to be seen in ``width`` × ``height`` cells; pure in the widget's state."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw again; only cells that look different are repainted."""
        width, height = self.content_size
        if not width or not height:
            return
        fresh = [fit(line, width) for line in list(self.lines(width, height))[:height]]
        fresh += [fit((), width)] * (height - len(fresh))
        before, self._drawn = self._drawn, fresh
        if width != self._drawn_width or len(before) != height:
            self._drawn_width = width
            self.refresh()
            return
        spans = ((row, changed_cells(before[row], fresh[row])) for row in range(height))
        regions = [Region(span[0], row, span[1], 1) for row, span in spans if span]
        if regions:
            self.refresh(*regions)

    def on_resize(self, event: Resize) -> None:
        """A new size is drawn from scratch."""
        self.redraw()

    def render_line(self, y: int) -> Strip:
        """Line ``y`` in the colours of the theme."""
        width = self.content_size.width
        if y >= len(self._drawn) or width != self._drawn_width:
            return Strip.blank(width, self.rich_style)
        style = self.get_component_rich_style
        return Strip([Segment(text, style(f"sheet--{name}")) for text, name in self._drawn[y] if text], width)


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
