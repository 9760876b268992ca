"""The bottom line: what keys do here. One line drawn, where Textual's Footer builds a widget a key at each focus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textual.binding import ActiveBinding
from textual.events import Click

from tui.widgets.drawing import Line, joined, spread, width_of
from tui.widgets.sheet import Sheet

_HELP = "help"
_GAP = "  "


class KeyHints(Sheet):
    """The shown bindings of the screen and of what has the focus; a click does what the key does."""

    DEFAULT_CSS = """
    KeyHints { dock: bottom; height: 1; padding: 0 1; background: $panel; }
    """

    def on_mount(self) -> None:
        """Follow the focus."""
        self.screen.bindings_updated_signal.subscribe(self, lambda _screen: self.redraw())

    def relabel(self) -> None:
        """The language changed."""
        self.redraw()

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """As many keys as fit, and help."""
        hints = dict(self._hints())
        assist = hints.pop(_HELP, ())
        left = joined(hints.values(), width - width_of(assist) - len(_GAP), _GAP)
        return [spread(left, assist, width)]

    def _hints(self) -> Iterator[tuple[str, Line]]:
        """Action, and its key with what it does."""
        for action, active in self._shown().items():
            key = self.app.get_key_display(active.binding)
            yield action, [(key, "key"), (f" {active.binding.description}", "dim")]

    def _shown(self) -> dict[str, ActiveBinding]:
        found: dict[str, ActiveBinding] = {}
        for active in self.screen.active_bindings.values():
            if active.binding.show and active.enabled and active.binding.description:
                found.setdefault(active.binding.action, active)
        return found

    def on_click(self, event: Click) -> None:
        """Do what was clicked on."""
        place = event.get_content_offset(self)
        if place is None:
            return
        shown, at = self._shown(), 0
        for action, hint in self._hints():
            size = width_of(hint)
            here = place.x >= self.content_size.width - size if action == _HELP else at <= place.x < at + size
            if here:
                self.call_later(self.app.run_action, action, shown[action].node)
                return
            at += size + len(_GAP) if action != _HELP else 0
