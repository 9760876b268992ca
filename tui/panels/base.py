"""What all panels share."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from data.language import N_, translate
from tui.watching import View
from tui.widgets.sheet import Sheet


class Panel(Sheet, can_focus=True):
    """One part of a view. It can be zoomed to fill the screen; titles follow the language."""

    TITLE: ClassVar[str] = ""
    BINDINGS: ClassVar[list[BindingType]] = [Binding("z,enter", "zoom", N_("Zoom"))]
    ALLOW_MAXIMIZE = True

    view: View | None = None

    def on_mount(self) -> None:
        """Titles are known from the start."""
        self.relabel()

    def relabel(self) -> None:
        """The language changed."""
        self.border_title = translate(self.title_text()) if self.title_text() else ""
        self.redraw()

    def title_text(self) -> str:
        """The title before translation."""
        return self.TITLE

    def show(self, view: View) -> None:
        """Render ``view``."""
        self.view = view
        self.redraw()

    def action_zoom(self) -> None:
        """Fill the screen, or go back to the place among the others."""
        if self.screen.maximized is self:
            self.screen.minimize()
        else:
            self.screen.maximize(self, container=False)

    @property
    def ascii_only(self) -> bool:
        """Whether the app draws in ASCII."""
        return getattr(self.app, "characters", "unicode") == "ascii"
