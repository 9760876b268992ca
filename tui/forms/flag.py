"""True or false."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Checkbox

from data.language import translate
from presets.draft import Draft
from tui.forms.control import Answered, Control
from tui.forms.questions import Question


class Flag(Control):
    """A box to tick."""

    @classmethod
    def suits(cls, question: Question) -> bool:
        """Fields that are true or false and nothing else."""
        return question.info.annotation is bool

    def compose(self) -> ComposeResult:
        """The box with its value in words."""
        yield Checkbox(self._word(self.value), value=self.value is True, compact=True)

    def show(self, draft: Draft) -> None:
        """Tick as the draft says."""
        self.draft = draft
        box = self.query_one(Checkbox)
        with box.prevent(Checkbox.Changed):
            box.value = self.value is True
        box.label = self._word(self.value)

    def on_checkbox_changed(self, event: Checkbox.Changed) -> None:
        """Post the answer."""
        event.stop()
        self.post_message(Answered(self.question.path, event.value))

    @staticmethod
    def _word(value: object) -> str:
        return translate("yes") if value is True else translate("no")
