"""The kinds of screens, full ones and dialogs: translated key hints, and a word when a thread fails."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, ClassVar, TypeVar

from textual.app import App
from textual.binding import ActiveBinding, Binding, BindingType
from textual.reactive import Reactive
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.worker import Worker, WorkerState

from tunewiz.language import N_, Language, current, translate
from tunewiz.printable import printable
from tunewiz.tui.terminal.pacing import Turns
from tunewiz.tui.terminal.patches import FineCompositor

T = TypeVar("T")


class Translated(Screen[T]):
    """A screen whose bindings are described in the user's language, whichever it is at the moment."""

    #: What the screen is for, shown by F1.
    HELP_TEXT: ClassVar[str] = ""
    #: Actions whose keys are hinted first, so that they are never lost where the line is short.
    MAIN: ClassVar[tuple[str, ...]] = ()

    #: As in Textual, but a new focus repaints the two widgets it concerns, not the screen: a tenth of the bytes.
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)

    def __init__(self, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name, id, classes)
        self._compositor = FineCompositor()

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """The bindings with translated descriptions; the footer, the help and the palette all take them from here."""
        found = super().active_bindings
        # Textual leaves out the keys that a line of text takes for itself, but for this one, whose character it misses.
        if self.focused is not None and self.focused.check_consume_key("slash", "/"):
            found.pop("slash", None)
        return {key: _translated(active) for key, active in found.items()}

    def relabel(self) -> None:
        """The language changed: everything that holds text draws it again. Screens that fill tables extend this."""
        for widget in self.query("*"):
            relabel = getattr(widget, "relabel", None)
            if relabel is not None:
                relabel()
            else:
                widget.refresh(layout=True)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A thread that failed is told of; the screen goes on."""
        tell_failure(self.app, event)


_TEXTUALS = ("app.focus_next", "app.focus_previous", "screen.copy_text", "command_palette")
#: Descriptions of the library's own keys that are shown at the bottom, marked for translation.
SHOWN_OF_TEXTUAL = (N_("Dismiss menu"),)


def own_bindings(screen: Screen[Any]) -> list[ActiveBinding]:
    """What can be done on ``screen`` by our own keys, one an action; what Textual's widgets do is left out."""
    found: dict[str, ActiveBinding] = {}
    for active in screen.active_bindings.values():
        if _is_ours(active) and active.enabled and active.binding.description:
            found.setdefault(active.binding.action, active)
    return list(found.values())


def _is_ours(active: ActiveBinding) -> bool:
    """Whether a class of ours binds the key: widgets of ours inherit keys of Textual's too."""
    if active.binding.action in _TEXTUALS:
        return False
    for kind in type(active.node).__mro__:
        if kind.__module__.startswith("tunewiz.tui."):
            bound = [one.action if isinstance(one, Binding) else one[1] for one in kind.__dict__.get("BINDINGS", ())]
            if active.binding.action in bound:
                return True
    return False


def tell_failure(app: App[Any], event: Worker.StateChanged) -> None:
    """Notify of a worker that ended in an exception."""
    if event.state == WorkerState.ERROR:
        event.stop()
        fault = printable(f"{type(event.worker.error).__name__}: {event.worker.error}")
        words = translate("Something failed in the background: {fault}").format(fault=fault)
        app.notify(words, severity="error", markup=False)


def _translated(active: ActiveBinding) -> ActiveBinding:
    language = current()
    return active._replace(
        binding=_spoken(active.binding, language), tooltip=translate(active.tooltip, language) if active.tooltip else ""
    )


@lru_cache(maxsize=1024)  # all of a screen's are asked for at each change of the focus
def _spoken(binding: Binding, language: Language) -> Binding:
    return replace(
        binding,
        description=translate(binding.description, language),
        tooltip=translate(binding.tooltip, language),
    )


class FullScreen(Translated[None]):
    """A screen that Escape leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", N_("Back"))]

    def action_leave(self) -> None:
        """Go back to where this screen was opened."""
        self.app.pop_screen()


class Watching(Translated[None]):
    """A screen that looks at something in a thread, by :attr:`_turns`: none is taken while it is covered or gone."""

    def __init__(self) -> None:
        super().__init__()
        self._turns = Turns()

    def on_unmount(self) -> None:
        """Stop looking."""
        self._turns.end()

    def on_screen_suspend(self) -> None:
        """Covered: nothing is drawn until it is seen again."""
        self._turns.cover()

    def on_screen_resume(self) -> None:
        """Seen again."""
        self._turns.uncover()


class Dialog(ModalScreen[T], Translated[T]):
    """A screen above another one, which Escape dismisses without an answer."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", N_("Cancel"))]

    def action_leave(self) -> None:
        """No answer."""
        self.dismiss(None)
