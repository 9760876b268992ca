"""What answers one question: a control shows the draft's value and posts what the user makes of it.

Here a box to tick, and choices: on one line, listed with what they mean, or several of them.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.console import Group
from rich.padding import Padding
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.strip import Strip
from textual.widgets import Checkbox, OptionList, SelectionList
from textual.widgets.option_list import Option
from textual.widgets.selection_list import Selection

from tunewiz.language import translate
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.preset import Preset
from tunewiz.printable import printable
from tunewiz.tui.forms.questions import Choice, Key, Question
from tunewiz.tui.widgets.drawing import Line, rich_text
from tunewiz.tui.widgets.pulldown import EMPHASIS, Pulldown

# What answers one question: a control shows the draft's value and posts what the user makes of it.


@dataclass
class Answered(Message):
    """The user gave ``value`` (plain data, fitting or not) for the key at ``path``."""

    path: Key
    value: Any


@dataclass
class Cleared(Message):
    """The user took an answer back: the suggestion or the default counts."""

    path: Key


@dataclass
class BrowseWanted(Message):
    """The user wants to look for the file that the key at ``path`` names."""

    path: Key


class Control(Vertical):
    """Base of the controls; what the field takes decides which one asks (:mod:`tunewiz.tui.forms.form`)."""

    #: Whether it takes several lines.
    roomy: ClassVar[bool] = False

    def __init__(self, question: Question, draft: Draft) -> None:
        super().__init__()
        self.question = question
        self.draft = draft

    @classmethod
    @abstractmethod
    def suits(cls, question: Question) -> bool:
        """Whether this kind of control can ask ``question``."""

    @abstractmethod
    def show(self, draft: Draft) -> None:
        """Show the value of ``draft`` without posting anything."""

    @property
    def value(self) -> Any:
        """The draft's value, the suggestion or default where there is no answer."""
        return self.draft.value(self.question.path)

    @property
    def chosen(self) -> Choice | None:
        """The choice that the draft's value is, if it is one."""
        base = Preset.model_fields.get(self.question.path[0])
        if base is not None and base.is_required() and self.question.path[0] not in self.draft.values:
            return None  # a task's class fills in its own name, which nobody chose
        return next((choice for choice in self.question.choices if choice.value == str(self.value)), None)


# Boxes to tick. Textual tells what is ticked by colour alone, which no monochrome terminal shows.


class Box(Checkbox):
    """Ticked or not, as can be read without colour."""

    @property
    def _button(self) -> Content:
        return Content("[x]" if self.value else "[ ]")


class Ticks(SelectionList[str]):
    """A list of boxes, read in the same way."""

    def render_line(self, y: int) -> Strip:
        """The line with its box; what follows a first line has none."""
        segments = list(super().render_line(y))
        style = segments[0].style if segments else None
        number = style.meta.get("option") if style is not None else None
        if number is None or len(segments) < 4:
            return Strip(segments)
        ticked = self.get_option_at_index(number).value in self.selected
        box = Segment("[x]" if ticked else "[ ]", (segments[3].style or Style.null()) + Style(meta={"option": number}))
        return Strip([box, *segments[3:]])


# True or false.


class Flag(Control):
    """A box to tick."""

    @classmethod
    def suits(cls, question: Question) -> bool:
        """Fields that are true or false and nothing else."""
        return question.info.annotation is bool

    def compose(self) -> ComposeResult:
        """The box with its value in words."""
        yield Box(self._word(self.value), value=self.value is True, compact=True)

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


# One of several choices: on one line, or listed with what each of them means; or several of them.


class Pick(Control):
    """A line that opens into the list of choices."""

    @classmethod
    def suits(cls, question: Question) -> bool:
        """Fields with choices, where there is one line."""
        return bool(question.choices) and not question.many

    def compose(self) -> ComposeResult:
        """The closed list."""
        yield Pulldown(self._options(), self._known(), self._prompt())

    def show(self, draft: Draft) -> None:
        """Show the draft's choice; one that is not in the list stands there as typed."""
        self.draft = draft
        self.query_one(Pulldown).show(self._options(), self._known(), self._prompt())

    def on_pulldown_changed(self, event: Pulldown.Changed) -> None:
        """Post the choice."""
        event.stop()
        if event.value != self._known():
            self.post_message(Answered(self.question.path, self.question.read(event.value)))

    def _options(self) -> list[tuple[Line, str]]:
        return [(_short(choice), choice.value) for choice in self.question.choices]

    def _known(self) -> str | None:
        return self.chosen.value if self.chosen else None

    def _prompt(self) -> Line:
        told = printable(self.value) if self.value is not None else "○ " + translate("not chosen yet")
        return [(told, "dim")]


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
        value = self.question.read(self.question.choices[event.option_index].value)
        self.post_message(Answered(self.question.path, value))

    def _options(self) -> list[Option]:
        return [Option(self._card(choice)) for choice in self.question.choices]

    def _card(self, choice: Choice) -> Group:
        chosen = choice == self.chosen
        name = Text(f"{'●' if chosen else '○'} {printable(choice.value)}", style="bold" if chosen else "")
        if not choice.meaning:
            return Group(name)
        if len(self.question.choices) > self.SPELT_OUT:
            name.no_wrap, name.overflow = True, "ellipsis"
            return Group(name.append(f"  {printable(choice.meaning, 400)}", style="not bold dim"))
        return Group(name, Padding(Text(printable(choice.meaning, 400), style="dim"), (0, 0, 0, 2)))

    def _point(self) -> None:
        choices = self.question.choices
        self.query_one(OptionList).highlighted = choices.index(self.chosen) if self.chosen else 0


class Many(Control):
    """Any number of the choices."""

    @classmethod
    def suits(cls, question: Question) -> bool:
        """Lists of words."""
        return question.many

    def compose(self) -> ComposeResult:
        """The list, with what is taken ticked."""
        yield Ticks(*self._selections(), compact=True)

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
        before, ticked = self._taken(), event.selection_list.selected
        taken = [choice.value for choice in self.question.choices if choice.value in ticked]
        if taken == before:
            return
        alone = next((word for word in taken if self.question.stands_alone(word)), None)
        if alone is not None and alone in before and len(taken) > 1:
            taken.remove(alone)
        elif alone is not None or not taken:
            whole = next((one.value for one in self.question.choices if self.question.stands_alone(one.value)), None)
            self.post_message(Answered(self.question.path, whole if whole is not None else taken))
            return
        self.post_message(Answered(self.question.path, taken))

    def _selections(self) -> list[Selection[str]]:
        taken = self._taken()
        return [
            Selection(rich_text(_short(choice), EMPHASIS), choice.value, choice.value in taken)
            for choice in self.question.choices
        ]

    def _taken(self) -> list[str]:
        value = self.value if isinstance(self.value, list) else [str(self.value)]
        return [choice.value for choice in self.question.choices if choice.value in value]


def _short(choice: Choice) -> Line:
    meaning = [(f"  {printable(choice.meaning, 400)}", "dim")] if choice.meaning else []
    return [(printable(choice.value), "plain"), *meaning]
