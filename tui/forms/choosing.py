"""One of several choices: on one line, or listed with what each of them means; or several of them."""

from __future__ import annotations

from typing import ClassVar

from rich.console import Group
from rich.padding import Padding
from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import OptionList, Select, SelectionList
from textual.widgets.option_list import Option
from textual.widgets.selection_list import Selection

from data.printable import printable
from presets.draft import Draft
from tui.forms.control import Answered, Control
from tui.forms.questions import Choice, Question


class Pick(Control):
    """A line that opens into the list of choices."""

    @classmethod
    def suits(cls, question: Question) -> bool:
        """Fields with choices, where there is one line."""
        return bool(question.choices) and not question.many

    def compose(self) -> ComposeResult:
        """The closed list."""
        options = [(_short(choice), choice.value) for choice in self.question.choices]
        yield Select(options, prompt=self._prompt(), value=self._known(), compact=True)

    def show(self, draft: Draft) -> None:
        """Show the draft's choice; one that is not in the list stands there as typed."""
        self.draft = draft
        select = self.query_one(Select)
        select.prompt = self._prompt()
        with select.prevent(Select.Changed):
            select.value = self._known()

    def on_select_changed(self, event: Select.Changed) -> None:
        """Post the choice."""
        event.stop()
        if event.value is not Select.NULL and event.value != self.value:
            self.post_message(Answered(self.question.path, str(event.value)))

    def _known(self) -> object:
        return self.value if any(choice.value == self.value for choice in self.question.choices) else Select.NULL

    def _prompt(self) -> str:
        return printable(self.value) if self.value is not None else "…"


class Cards(Control):
    """All choices with their meanings; Enter takes the one under the cursor."""

    roomy = True
    MOST: ClassVar = 16
    #: Up to so many choices have their meaning below them, more have it beside.
    SPELT_OUT: ClassVar = 4

    @classmethod
    def suits(cls, question: Question) -> bool:
        """Fields with a few choices that mean something, where there is room."""
        told = any(choice.meaning for choice in question.choices)
        return told and len(question.choices) <= cls.MOST and not question.many

    def compose(self) -> ComposeResult:
        """The list, the chosen one marked."""
        yield OptionList(*self._options(), compact=True)

    def on_mount(self) -> None:
        """Begin with the cursor on the choice."""
        self._point()

    def show(self, draft: Draft) -> None:
        """Mark the draft's choice; the cursor goes with it when it changed."""
        before = self.value
        self.draft = draft
        options = self.query_one(OptionList)
        for number, choice in enumerate(self.question.choices):
            options.replace_option_prompt_at_index(number, self._card(choice))
        if self.value != before:
            self._point()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Post the choice."""
        event.stop()
        self.post_message(Answered(self.question.path, self.question.choices[event.option_index].value))

    def _options(self) -> list[Option]:
        return [Option(self._card(choice)) for choice in self.question.choices]

    def _card(self, choice: Choice) -> Group:
        chosen = choice.value == self.value
        name = Text(f"{'●' if chosen else '○'} {printable(choice.value)}", style="bold" if chosen else "")
        if not choice.meaning:
            return Group(name)
        if len(self.question.choices) > self.SPELT_OUT:
            name.no_wrap, name.overflow = True, "ellipsis"
            return Group(name.append(f"  {printable(choice.meaning, 400)}", style="not bold dim"))
        return Group(name, Padding(Text(printable(choice.meaning, 400), style="dim"), (0, 0, 0, 2)))

    def _point(self) -> None:
        values = [choice.value for choice in self.question.choices]
        self.query_one(OptionList).highlighted = values.index(self.value) if self.value in values else 0


class Many(Control):
    """Any number of the choices."""

    @classmethod
    def suits(cls, question: Question) -> bool:
        """Lists of words."""
        return question.many

    def compose(self) -> ComposeResult:
        """The list, with what is taken ticked."""
        yield SelectionList[str](*self._selections(), compact=True)

    def show(self, draft: Draft) -> None:
        """Tick as the draft says."""
        self.draft = draft
        ticks = self.query_one(SelectionList)
        wanted = self._taken()
        if list(ticks.selected) != wanted:
            with ticks.prevent(SelectionList.SelectedChanged):
                ticks.deselect_all()
                for word in wanted:
                    ticks.select(word)

    def on_selection_list_selected_changed(self, event: SelectionList.SelectedChanged[str]) -> None:
        """Post the list."""
        event.stop()
        taken = [choice.value for choice in self.question.choices if choice.value in event.selection_list.selected]
        if taken != self._taken():
            self.post_message(Answered(self.question.path, taken))

    def _selections(self) -> list[Selection[str]]:
        taken = self._taken()
        return [Selection(_short(choice), choice.value, choice.value in taken) for choice in self.question.choices]

    def _taken(self) -> list[str]:
        value = self.value if isinstance(self.value, list) else []
        return [choice.value for choice in self.question.choices if choice.value in value]


def _short(choice: Choice) -> Text:
    shown = Text(printable(choice.value))
    return shown.append(f"  {printable(choice.meaning, 400)}", style="dim") if choice.meaning else shown
