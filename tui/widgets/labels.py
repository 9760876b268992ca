"""What stands on every screen: the top line, the bottom line with its keys, and text in the user's language."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from rich.text import Text
from textual.binding import ActiveBinding
from textual.events import Click
from textual.screen import Screen
from textual.visual import VisualType
from textual.widget import Widget

from tunewiz.language import translate
from tunewiz.printable import printable
from tunewiz.problems import Message
from tunewiz.tui.widgets.drawing import Line, Part, join_groups, spread, width_of
from tunewiz.tui.widgets.sheet import Sheet

# The top line: where you are.


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


# The bottom line: what keys do here. One line drawn, where Textual's Footer builds a widget a key at each focus.


#: What stands at the right, and what gives way first at the left: no screen loses the key of its main action to them.
_RIGHT = ("leave", "help")
_LATE = ("copy", "quit")
_GAP = "  "


class KeyHints(Sheet):
    """The shown bindings of the screen and of what has the focus; a click does what the key does."""

    DEFAULT_CSS = """
    KeyHints { dock: bottom; height: 1; padding: 0 1; background: $panel; }
    """

    _focus: Widget | None = None

    def on_mount(self) -> None:
        """Follow the focus."""
        self.screen.bindings_updated_signal.subscribe(self, self._updated)

    def _updated(self, screen: Screen[Any]) -> None:
        if screen.focused is not self._focus:
            # Told at once and again when what has the focus is drawn: that comes first, it is what was asked for.
            self._focus = screen.focused
            return
        self.redraw()

    def relabel(self) -> None:
        """The language changed."""
        self.redraw()

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """As many keys as fit; the way back and help at the right, whatever else there is."""
        hints = dict(self._hints())
        assist = join_groups([hints.pop(action) for action in _RIGHT if action in hints], width, _GAP)
        late = [hints.pop(action) for action in _LATE if action in hints]
        left = join_groups([*hints.values(), *late], width - width_of(assist) - len(_GAP), _GAP)
        return [spread(left, assist, width)]

    def _hints(self) -> Iterator[tuple[str, Line]]:
        """Action, and its key with what it does."""
        for action, active in self._shown().items():
            key = self.app.get_key_display(active.binding)
            yield action, [(key, "key"), (f" {active.binding.description}", "dim")]

    def _shown(self) -> dict[str, ActiveBinding]:
        found: dict[str, ActiveBinding] = {}
        bindings = self.screen.active_bindings
        enter = bindings.get("enter")
        # Lists of Textual's take Enter for themselves and tell the screen: what it does then is the screen's to say.
        if enter is not None and enter.binding.action in ("select", "select_cursor"):
            for binding in self.screen._bindings.key_to_bindings.get("enter", ()):
                offered = self.screen.check_action(binding.action, ()) is not False
                if binding.show and offered:
                    spoken = replace(binding, description=translate(binding.description))
                    found[binding.action] = ActiveBinding(self.screen, spoken, True)
        for active in bindings.values():
            if active.binding.show and active.enabled and active.binding.description:
                found.setdefault(active.binding.action, active)
        main: Sequence[str] = getattr(self.screen, "MAIN", ())
        return {action: found[action] for action in (*(one for one in main if one in found), *found)}

    def on_click(self, event: Click) -> None:
        """Do what was clicked on."""
        place = event.get_content_offset(self)
        if place is None:
            return
        shown, hints = self._shown(), dict(self._hints())
        right = [action for action in _RIGHT if action in hints]
        left = [action for action in hints if action not in (*_RIGHT, *_LATE)]
        left += [action for action in _LATE if action in hints]
        begin = self.content_size.width - sum(width_of(hints[action]) + len(_GAP) for action in right) + len(_GAP)
        for actions, at in ((left, 0), (right, begin)):
            for action in actions:
                size = width_of(hints[action])
                if at <= place.x < at + size and (actions is right or at + size <= begin):
                    self.call_later(self.app.run_action, action, shown[action].node)
                    return
                at += size + len(_GAP)


# Text in the user's language, translated each time it is drawn, so that the language can change under it.


class Words(Widget):
    """Shows a string marked with ``N_``, a :class:`~tunewiz.problems.Message`, or what a function gives."""

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
