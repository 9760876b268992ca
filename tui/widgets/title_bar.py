"""The top line: where you are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from data.language import translate
from data.printable import printable
from tui.widgets.drawing import Line, Part, spread
from tui.widgets.sheet import Sheet


class TitleBar(Sheet):
    """The product's name, then the path to this screen; at the right what the screen wants to say of itself."""

    DEFAULT_CSS = """
    TitleBar { dock: top; height: 1; padding: 0 1; background: $panel; }
    """

    def __init__(self, title: str, name: str = "", right: Callable[[], Line] | None = None) -> None:
        super().__init__()
        self._title = title
        self._subject = name
        self._right = right

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """One line."""
        left: list[Part] = [("Tunewiz", "accent"), (" ▸ ", "dim"), (translate(self._title), "strong")]
        if self._subject:
            left += [(" ▸ ", "dim"), (printable(self._subject, 80), "plain")]
        return [spread(left, self._right() if self._right else (), width)]

    def relabel(self) -> None:
        """The language changed."""
        self.redraw()
