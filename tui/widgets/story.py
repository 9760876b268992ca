"""A sheet as long as what it tells, for use inside something that scrolls."""

from __future__ import annotations

from textual.geometry import Size

from tui.widgets.sheet import Sheet


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
