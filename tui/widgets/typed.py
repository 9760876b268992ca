"""What is typed into: a line and a text whose keys take effect in the order in which they are pressed."""

from __future__ import annotations

from textual.events import Key
from textual.widget import Widget
from textual.widgets import Input, TextArea

# Textual (8.2.8) puts a letter in where it arrives, but lets keys with a binding (Backspace, Ctrl-U, the arrows) go up
# through all that is around it, to be answered by the app. Each of those has a queue of its own, and that of a screen
# may be busy: of ``a``, ``b``, Backspace, ``c`` that arrive together ``ab`` stays, and Ctrl-U takes away what was typed
# after it.


async def _answer(widget: Widget, event: Key) -> None:
    """Do what the key is bound to, if ``widget`` binds it."""
    if event.is_printable:
        return
    for binding in widget._bindings.key_to_bindings.get(event.key, ()):
        if not binding.priority and await widget.app.run_action(binding.action, widget):
            event.stop()
            event.prevent_default()
            return


class TextLine(Input):
    """A line."""

    async def on_key(self, event: Key) -> None:
        """Its own keys take effect here and now."""
        await _answer(self, event)


class TextBox(TextArea):
    """A text of several lines."""

    async def on_key(self, event: Key) -> None:
        """Its own keys take effect here and now."""
        await _answer(self, event)
