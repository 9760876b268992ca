"""Text in the user's language, translated each time it is drawn, so that the language can change under it."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text
from textual.visual import VisualType
from textual.widget import Widget

from data.language import translate
from data.problems import Message


class Words(Widget):
    """Shows a string marked with ``N_``, a :class:`~data.problems.Message`, or what a function gives, as plain text."""

    DEFAULT_CSS = """
    Words { width: auto; height: auto; }
    """

    def __init__(
        self, text: str | Message | Callable[[], str | Text], *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._text = text

    def tell(self, text: str | Message | Callable[[], str | Text]) -> None:
        """Show another text."""
        self._text = text
        self.refresh(layout=True)

    def render(self) -> VisualType:
        """The text in the current language; never read as markup."""
        text = self._text
        if isinstance(text, Message):
            return Text(text.text())
        shown = translate(text) if isinstance(text, str) else text()
        return Text(shown) if isinstance(shown, str) else shown
