"""A line to type into: text, numbers, lists, mappings."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.suggester import Suggester, SuggestFromList
from textual.widgets import Input

from data.language import N_
from presets.draft import Draft
from tui.forms.control import Answered, BrowseWanted, Cleared, Control
from tui.forms.paths import PathSuggester
from tui.forms.questions import Question
from tui.forms.values import line, read


class Entry(Control):
    """An input; what would stand there without an answer is shown dimly when it is empty."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+o", "browse", N_("Browse"))]

    @classmethod
    def suits(cls, question: Question) -> bool:  # noqa: ARG003
        """Any field can be typed."""
        return True

    def compose(self) -> ComposeResult:
        """The input, completing paths, or the field's examples."""
        yield Input(
            self._text(),
            placeholder=self._placeholder(),
            suggester=self._suggester(),
            select_on_focus=False,
            compact=True,
        )

    def _suggester(self) -> Suggester | None:
        if self.question.is_path:
            return PathSuggester(self.draft.folder)
        examples = [line(example) for example in self.question.info.examples or ()]
        return SuggestFromList(examples, case_sensitive=False) if examples else None

    def action_browse(self) -> None:
        """Choose a file where one is asked for."""
        self.post_message(BrowseWanted(self.question.path))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only paths can be browsed for."""
        return self.question.is_path if action == "browse" else True

    def show(self, draft: Draft) -> None:
        """Show the draft's value, unless what is typed already means it."""
        self.draft = draft
        entry = self.query_one(Input)
        entry.placeholder = self._placeholder()
        if self._meant(entry.value) != (draft.is_answered(self.question.path), self._answer()):
            with entry.prevent(Input.Changed):
                entry.value = self._text()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Post what is typed, on every key, so that what does not fit is told at once."""
        event.stop()
        answered, value = self._meant(event.value)
        if (answered, value) == (self.draft.is_answered(self.question.path), self._answer()):
            return
        self.post_message(Answered(self.question.path, value) if answered else Cleared(self.question.path))

    def _meant(self, text: str) -> tuple[bool, object]:
        """Whether ``text`` is an answer, and which."""
        return (True, read(text, self.question.info)) if text.strip() else (False, None)

    def _answer(self) -> object:
        return self.value if self.draft.is_answered(self.question.path) else None

    def _text(self) -> str:
        return line(self._answer())

    def _placeholder(self) -> str:
        default = line(self.draft.default(self.question.path))
        examples = self.question.info.examples or ()
        return default or (line(examples[0]) if self.question.info.is_required() and examples else "")
