"""A question with a yes and a no."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button

from tunewiz.language import N_, translate
from tunewiz.problems import Message
from tunewiz.tui.screens.kinds import Dialog
from tunewiz.tui.widgets.labels import Words


class ConfirmScreen(Dialog[bool]):
    """Dismissed with the answer; ``None`` for no answer counts as no. Focus is on the harmless side."""

    CSS_PATH = Path(__file__).with_suffix(".tcss")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", N_("Yes")),
        Binding("n", "answer(False)", N_("No")),
        Binding("left,right", "app.focus_next", show=False),
    ]

    def __init__(self, question: Message, detail: Message, yes: str, danger: bool = False) -> None:
        super().__init__()
        self._question = question
        self._detail = detail
        self._yes = yes
        self._danger = danger

    def compose(self) -> ComposeResult:
        """The question, what follows from a yes, and two buttons."""
        with Vertical(id="box", classes="danger" if self._danger else ""):
            yield Words(self._question, id="question")
            yield Words(self._detail, id="detail")
            with Horizontal(id="buttons"):
                no = Button(translate("No, go back"), id="no", compact=True)
                yes = Button(f"{translate(self._yes)} (y)", id="yes", compact=True)
                yes.variant = "error" if self._danger else "primary"
                yield no
                yield yes

    def on_mount(self) -> None:
        """Enter alone does no harm."""
        self.query_one("#no" if self._danger else "#yes", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer by button."""
        event.stop()
        self.dismiss(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        """Answer by key."""
        self.dismiss(answer)
