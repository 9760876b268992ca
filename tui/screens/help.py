"""F1: what the screen is for, and its keys."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen

from tunewiz.language import N_
from tunewiz.tui.screens.kinds import Dialog, own_bindings
from tunewiz.tui.widgets.labels import KeyHints, Words


class HelpScreen(Dialog[None]):
    """Made from the bindings of the screen below, so that it is never out of date."""

    CSS_PATH = Path(__file__).with_suffix(".tcss")
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,f1,q,enter", "leave", N_("Close"))]

    def __init__(self, screen: Screen[Any]) -> None:
        super().__init__()
        self._about: str = getattr(screen, "HELP_TEXT", "")
        self._keys = _keys(screen)

    def compose(self) -> ComposeResult:
        """The text, then the keys."""
        with VerticalScroll(id="box"):
            if self._about:
                yield Words(self._about, id="about")
            yield Words(lambda: _table(self._keys), id="keys")
            yield Words(
                N_(
                    "Tab and Shift+Tab move between the parts of a screen, arrows inside. Ctrl+P finds actions by name."
                ),
                id="more",
            )
        yield KeyHints()


def _keys(screen: Screen[Any]) -> list[tuple[str, str]]:
    return [(screen.app.get_key_display(one.binding), one.binding.description) for one in own_bindings(screen)]


def _table(keys: Sequence[tuple[str, str]]) -> str:
    width = max((cell_len(shown) for shown, _ in keys), default=0)
    return "\n".join(f"{shown}{' ' * (width - cell_len(shown))}   {text}" for shown, text in keys)
