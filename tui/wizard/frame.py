"""What stands around a step: where you are, what is missing, what it will need, and help on the field in use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.events import Click
from textual.message import Message

from tunewiz.language import N_, translate
from tunewiz.printable import amount, printable
from tunewiz.problems import errors, say
from tunewiz.tui.forms.questions import Question
from tunewiz.tui.widgets.drawing import Line, Part, fit, join_groups, width_of, wrap_text
from tunewiz.tui.widgets.sheet import Sheet
from tunewiz.tui.wizard.machine import time_line
from tunewiz.tui.wizard.step import State, Step


class Rail(Sheet):
    """The steps: done, open, wrong, and the one you are at. In a line, or below each other where there is room."""

    @dataclass
    class Chosen(Message):
        """A step was clicked."""

        step: Step

    def __init__(self, upright: bool) -> None:
        super().__init__()
        self._upright = upright
        self._state = State()
        self._at = ""
        self.set_class(upright, "-upright")

    def show(self, state: State, step: Step) -> None:
        """Show how far ``state`` is, seen from ``step``."""
        self._state, self._at = state, step.name
        self.redraw()

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """Each step with its mark, and below it, where there is room, what it misses."""
        steps = self._state.steps
        labels = [self._label(step, number) for number, step in enumerate(steps, 1)]
        if not self._upright:
            gap = 2 if sum(map(width_of, labels)) + 2 * len(labels) <= width else 1
            return [join_groups(labels, width, " " * gap)]
        lines: list[Line] = []
        for step, label in zip(steps, labels, strict=True):
            missing = [wrap_text(title, width - 1, "dim", "     ") for title in self._state.missing_titles(step)]
            lines += [label, *(line for part in missing for line in part), []]
        return lines

    def _label(self, step: Step, number: int) -> list[Part]:
        found = self._state.problems_of(step)
        missing = any(problem.code == "missing-key" for problem in found)
        wrong = any(problem.code != "missing-key" for problem in errors(found))
        mark, style = ("✗", "bad") if wrong else ("○", "warn") if missing else ("✓", "good")
        here = step.name == self._at
        name = translate(step.title)
        if self._upright:
            pointer: Part = ("▸ " if here else "  ", "accent")
            return [pointer, (f"{mark} ", style), (f"{number} {name}", "strong" if here else "plain")]
        return [(mark, style), (f"{'▸' if here else ' '}{name}", "cursor" if here else "plain")]

    def on_click(self, event: Click) -> None:
        """Go to the step under the mouse."""
        place = event.get_content_offset(self)
        if place is None:
            return
        steps, at = self._state.steps, place.y if self._upright else place.x
        for step, start, end in self._spans():
            if start <= at < end and step in steps:
                self.post_message(self.Chosen(step))

    def _spans(self) -> list[tuple[Step, int, int]]:
        """Where each step stands: its lines, or its cells."""
        spans, at = [], 0
        steps = self._state.steps
        labels = [self._label(step, number) for number, step in enumerate(steps, 1)]
        gap = 2 if sum(map(width_of, labels)) + 2 * len(labels) <= self.content_size.width else 1
        for step, label in zip(steps, labels, strict=True):
            missing = [
                wrap_text(title, self.content_size.width - 1, "dim", "     ")
                for title in self._state.missing_titles(step)
            ]
            size = 2 + sum(map(len, missing)) if self._upright else width_of(label) + gap
            spans.append((step, at, at + size))
            at += size
        return spans

    def relabel(self) -> None:
        """The language changed."""
        self.redraw()


class Needs(Sheet):
    """What is still missing, and what the run will need."""

    _state = State()

    def show(self, state: State) -> None:
        """Show what ``state`` misses and needs."""
        self._state = state
        self.redraw()

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """Two lines: missing or wrong and the time, then the memory."""
        state = self._state
        paces = state.machine.paces if state.machine else ()
        time = time_line(state.draft, state.facts.rows, paces)
        return [join_groups([fitted_to(self._open(), width), time], width, "   "), memory_line(state)]

    def _open(self) -> list[Part]:
        state = self._state
        missing = [title for step in state.steps for title in state.missing_titles(step)]
        wrong = len([problem for problem in errors(state.problems) if problem.code != "missing-key"])
        if state.unfinished and not state.checked:
            return [(translate("Reading the text of the preset …"), "dim")]
        if state.unfinished:
            told = N_("The text of the preset cannot be read yet: {count} (F7 goes there)")
            return [(say(told, count=len(state.problems)).text(), "bad")]
        if missing:
            return [(translate("Still open: "), "warn"), (translate(", ").join(missing), "plain")]
        if wrong:
            return [(say("Problems to solve: {count} (F7 goes to them)", count=wrong).text(), "bad")]
        if not state.checked:
            return [(translate("Checking what this machine has …"), "dim")]
        return [(translate("Ready to start."), "good")]

    def relabel(self) -> None:
        """The language changed."""
        self.redraw()


def fitted_to(line: list[Part], width: int) -> list[Part]:
    """``line``, cut with an ellipsis if it is wider than ``width``."""
    return fit(line, width) if width_of(line) > width else line


def memory_line(state: State) -> list[Part]:
    """What the run takes of the device's memory, and whether that is there."""
    needed, machine = state.estimate, state.machine
    if needed is None:
        return [(translate("Memory: known once data and model are chosen."), "dim")]
    ranges = {"expected": amount(needed.expected), "low": amount(needed.low), "high": amount(needed.high)}
    told = (
        say("RAM: about {expected} ({low} to {high})", **ranges)
        if machine is not None and machine.gpu is None
        else say("Memory: about {expected} ({low} to {high})", **ranges)
    ).text()
    if machine is None:
        return [(told, "plain")]
    free = machine.memory_free if machine.free is None else machine.free
    style = {"yes": "good", "maybe": "warn", "no": "bad"}[needed.fits(free)]
    if machine.gpu is None:
        rest = say("; no GPU, {free} free", free=amount(free))
    else:
        rest = say("; {free} free on {gpu}", free=amount(free), gpu=printable(machine.gpu.name))
    return [(told, style), (rest.text(), "plain")]


class Hint(Sheet):
    """Help on the field in use: a line or two where room is short, all of it where there is a pane for it."""

    def __init__(self, full: bool) -> None:
        super().__init__()
        self._full = full
        self._question: Question | None = None
        self._lesson = ""

    def show(self, question: Question | None, lesson: str) -> None:
        """Help on ``question``; ``lesson`` is the title of the lesson that F1 opens."""
        self._question, self._lesson = question, lesson
        self.redraw()

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """The help, wrapped."""
        more = [[("F1 ", "accent"), (self._lesson, "dim")]] if self._lesson else []
        if self._question is None:
            return more
        question = self._question
        if not self._full:
            told = f"{question.title}{translate(': ')}{question.description}"
            return wrap_text(told, width, "dim")[:height]
        lines: list[Line] = [[(question.title, "strong")], [(question.key, "accent")], []]
        for line in question.help():
            lines += [*wrap_text(line.strip(), width, "plain", "  " if line.startswith("  ") else ""), []]
        return [*lines, *more]

    def relabel(self) -> None:
        """The language changed."""
        self.redraw()
