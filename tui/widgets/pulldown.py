"""A line that opens into a list of choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from textual.binding import Binding, BindingType
from textual.events import Click
from textual.message import Message
from textual.widgets._select import SelectOverlay
from textual.widgets.option_list import Option

from tunewiz.language import N_
from tunewiz.tui.widgets.drawing import Line, rich_text, spread
from tunewiz.tui.widgets.sheet import Sheet

#: How what is offered looks in a list of Textual's, which takes Rich's text.
EMPHASIS: Final = {"dim": "dim", "strong": "bold"}


class Pulldown(Sheet, can_focus=True):
    """Shows one of its options; Enter, Space, an arrow or a click opens the list of all of them.

    Textual's Select builds six widgets, its list among them, before anybody opens it: a form of twenty such lines is a
    fifth of a second late. Here the line is drawn, and the list, which is Textual's own, made when it is opened.
    """

    DEFAULT_CSS = """
    Pulldown {
        width: 1fr; height: 1;
        & > SelectOverlay {
            width: 1fr; height: auto; max-height: 12; overlay: screen; constrain: none inside;
            border: tall $border-blurred; background: $surface;
            & > .option-list--option { padding: 0 1; }
        }
    }
    """
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,down,space,up", "open", N_("Open the list"), show=False)]

    @dataclass
    class Changed(Message):
        """The user chose ``value``."""

        pulldown: Pulldown
        value: str

    def __init__(self, options: Sequence[tuple[Line, str]], value: str | None, prompt: Line = ()) -> None:
        """``options`` are what is shown and the value meant; ``prompt`` stands where ``value`` is none of them."""
        super().__init__()
        self._options = list(options)
        self._prompt = prompt
        #: The value of what is shown; ``None`` while that is the prompt.
        self.value = value

    def show(self, options: Sequence[tuple[Line, str]], value: str | None, prompt: Line = ()) -> None:
        """Show something else, without a message."""
        self._options, self.value, self._prompt = list(options), value, prompt
        self.redraw()

    def choose(self, value: str) -> None:
        """Take ``value`` as the user's choice."""
        if value != self.value:
            self.value = value
            self.redraw()
            self.post_message(self.Changed(self, value))

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """What is chosen, and a sign that there is more."""
        shown = self._options[self._place][0] if self._place is not None else self._prompt
        return [spread(shown, [(" ▲" if self.opened else " ▼", "dim")], width)]

    @property
    def opened(self) -> bool:
        """Whether the list is open."""
        return bool(self.query(SelectOverlay))

    @property
    def _place(self) -> int | None:
        return next((number for number, (_, value) in enumerate(self._options) if value == self.value), None)

    async def action_open(self) -> None:
        """Open the list, the cursor on what is chosen."""
        if self.opened or not self._options:
            return
        overlay = SelectOverlay()
        overlay.compact = True
        await self.mount(overlay)
        overlay.add_options([Option(rich_text(shown, EMPHASIS)) for shown, _ in self._options])
        overlay.select(self._place or 0)
        overlay.focus(scroll_visible=False)
        self.redraw()

    async def on_click(self, event: Click) -> None:
        """Open the list, or close it."""
        if event.widget is self:
            event.stop()
            await (self._close() if self.opened else self.action_open())

    async def on_select_overlay_dismiss(self, event: SelectOverlay.Dismiss) -> None:
        """Escape, or the focus went elsewhere."""
        event.stop()
        if not event.lost_focus:
            self.focus(scroll_visible=False)
        await self._close()

    async def on_select_overlay_update_selection(self, event: SelectOverlay.UpdateSelection) -> None:
        """One was chosen."""
        event.stop()
        value = self._options[event.option_index][1]
        self.focus(scroll_visible=False)
        await self._close()
        self.choose(value)

    async def _close(self) -> None:
        await self.query(SelectOverlay).remove()
        self.redraw()
