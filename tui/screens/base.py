"""What all screens share: translated key hints, and a word when a thread fails."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, TypeVar

from textual.binding import ActiveBinding, Binding, BindingType
from textual.screen import ModalScreen, Screen
from textual.widgets import Footer
from textual.worker import Worker, WorkerState

from data.language import N_, translate
from data.printable import printable

T = TypeVar("T")


class Translated(Screen[T]):
    """A screen whose bindings are described in the user's language, whichever it is at the moment."""

    #: What the screen is for, shown by F1.
    HELP_TEXT: ClassVar[str] = ""

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """The bindings with translated descriptions; the footer, the help and the palette all take them from here."""
        return {key: _translated(active) for key, active in super().active_bindings.items()}

    def relabel(self) -> None:
        """The language changed: everything that holds text draws it again. Screens that fill tables extend this."""
        for widget in self.query("*"):
            relabel = getattr(widget, "relabel", None)
            if relabel is not None:
                relabel()
            else:
                widget.refresh(layout=True)
        for footer in self.query(Footer):
            footer.refresh(recompose=True)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A thread that failed is told of; the screen goes on."""
        if event.state == WorkerState.ERROR:
            fault = event.worker.error
            words = translate("Something failed in the background: {fault}").format(
                fault=printable(f"{type(fault).__name__}: {fault}")
            )
            self.notify(words, severity="error", markup=False)


def _translated(active: ActiveBinding) -> ActiveBinding:
    binding = active.binding
    spoken = replace(binding, description=translate(binding.description), tooltip=translate(binding.tooltip))
    return active._replace(binding=spoken, tooltip=translate(active.tooltip))


class FullScreen(Translated[None]):
    """A screen that Escape leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", N_("Back"))]

    def action_leave(self) -> None:
        """Go back to where this screen was opened."""
        self.app.pop_screen()


class Dialog(ModalScreen[T], Translated[T]):
    """A screen above another one, which Escape dismisses without an answer."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", N_("Cancel"))]

    def action_leave(self) -> None:
        """No answer."""
        self.dismiss(None)
