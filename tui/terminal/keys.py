"""Keys are answered one after another, however close together they arrive."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Final

from textual.app import App
from textual.events import Event, Key, Paste
from textual.message import Message
from textual.message_pump import MessagePump
from textual.widgets import Input, TextArea

#: Seconds that a key waits for the one before it. Longer takes only what hangs, and that must be left by a key.
_PATIENCE: Final = 2.0
_GLANCE: Final = 0.05


class Followed(Message):
    """Goes the way of a key, from the widget with the focus up to the app: where it is, the key was answered.

    ``typed``: into a line that has the focus.
    """

    def __init__(self, number: int, typed: bool) -> None:
        super().__init__()
        self.number = number
        self.typed = typed


class InOrder(App[str]):
    """An app in which a key finds what the keys before it have led to.

    Textual 8.2.8 hands each key to what has the focus at that moment, whether or not the one before was answered. From
    a slow line, a paste or a fast hand come several at once: what follows a Tab is typed into the field before it, and
    what follows the key to the next screen is lost. Here each waits until the one before has been through all that can
    answer it, the screen's own errands included.
    """

    def __init__(self) -> None:
        self._next_ones: deque[Key | Paste] = deque()
        self._number = 0  # of the key that is being answered
        self._way: tuple[MessagePump, ...] = ()  # what it is going through
        super().__init__()

    @property
    def answering(self) -> bool:
        """Whether a key is on its way. What closed a screen goes no further."""
        return bool(self._way) and all(one.is_running for one in self._way)

    async def on_event(self, event: Event) -> None:
        """Keys and pastes take their turn."""
        if not isinstance(event, (Key, Paste)) or event.is_forwarded:
            await super().on_event(event)
        elif self.answering or self._next_ones:
            if not self._next_ones:
                self._wait(self._number, _PATIENCE)
            self._next_ones.append(event)
        else:
            await self._answer(event)

    async def _answer(self, event: Key | Paste) -> None:
        target = self.focused or self.screen
        self._way = tuple(target.ancestors_with_self)
        self._number += 1
        await super().on_event(event)
        # What is typed into a line stays there; anything else may have the screen do something.
        typed = isinstance(target, (Input, TextArea)) and (isinstance(event, Paste) or event.is_printable)
        told = Followed(self._number, typed)
        if not target.post_message(told):
            await self.on_followed(told)

    async def on_followed(self, event: Followed) -> None:
        """The key was answered by all that have it before the app; what it asked of the screen comes next."""
        event.stop()
        if event.number != self._number:
            return
        go_on = partial(self._go_on, event.number)
        self._way = (self.screen,)
        if event.typed or not self.screen.call_later(self.call_later, go_on):
            await go_on()

    async def _go_on(self, number: int) -> None:
        if number != self._number or not self._way:
            return
        self._way = ()
        if self._next_ones:
            await self._answer(self._next_ones.popleft())
            if self._next_ones:
                self._wait(self._number, _PATIENCE)

    def _wait(self, number: int, seconds: float) -> None:
        """Go on when the key of that number is lost on its way, or ``seconds`` have passed."""

        async def look() -> None:
            if number == self._number and self.answering and seconds > 0:
                self._wait(number, seconds - _GLANCE)
            else:
                await self._go_on(number)

        self.set_timer(_GLANCE, look)
