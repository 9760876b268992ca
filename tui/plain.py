"""``tunewiz --plain``: the wizard's questions as plain prompts, for terminals where a full screen does not work.

The same steps, the same draft and the same checks as on the full screen; answers may come from a pipe, one a line.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TextIO

from rich.console import Console, RenderableType

from tunewiz.language import translate
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.drafts.kept import Kept, discard, fresh, keep
from tunewiz.presets.yaml import library
from tunewiz.printable import operand, printable
from tunewiz.problems import BadPreset, ExitCode, Problem, errors, say
from tunewiz.redaction import redacted
from tunewiz.tui.forms.questions import Choice, Question, nearest
from tunewiz.tui.widgets.drawing import text_of, wrap_text
from tunewiz.tui.wizard import findings, known_models
from tunewiz.tui.wizard.frame import memory_line
from tunewiz.tui.wizard.inspecting import examine
from tunewiz.tui.wizard.keeping import remember, unfinished
from tunewiz.tui.wizard.machine import hubs_answer, look
from tunewiz.tui.wizard.step import State, Step, questions_of
from tunewiz.tui.wizard.steps.model import REMOTE_CODE_KEY, SOURCE_KEY, take_source, trust_question

_WIDTH: Final = 100  # cells of tables where it is not known how many there are
_NO_COLOURS: Final[defaultdict[str, str]] = defaultdict(lambda: "default")


class Left(Exception):
    """The user, or the end of the answers, ended the questions."""


class Back(Exception):
    """The user wants the question before."""


@dataclass
class Dialogue:
    """Prompts on ``out``, answers from ``answers``, a line each."""

    answers: TextIO
    out: TextIO

    def tell(self, text: str = "") -> None:
        """Write a line."""
        self.out.write("".join(f"{line}\n" for line in self._broken(redacted(text))))
        self.out.flush()

    def _broken(self, text: str) -> list[str]:
        """``text`` in lines that a terminal need not break within a word; what is read by a program stays as it is."""
        if not self.out.isatty():
            return [text]
        width, lines = shutil.get_terminal_size().columns, []
        for line in text.split("\n"):
            indent = line[: len(line) - len(line.lstrip())]
            lines += [text_of(part) for part in wrap_text(line, width, indent=indent)] or [""]
        return lines

    @property
    def _width(self) -> int:
        return min(_WIDTH, shutil.get_terminal_size().columns) if self.out.isatty() else _WIDTH

    def show(self, drawn: RenderableType) -> None:
        """Write what the full screen shows, without colours."""
        Console(file=self.out, highlight=False, no_color=True, emoji=False, width=self._width).print(drawn)

    def ask(self, prompt: str) -> str:
        """The next answer as it was typed. Raises :class:`Left` when there is none, :class:`Back` for ``<``."""
        self.out.write(f"{redacted(prompt)} > ")
        self.out.flush()
        answer = self.answers.readline()
        if not answer:
            self.tell()
            raise Left
        if not self.answers.isatty():
            self.tell(printable(answer.rstrip("\n")))
        if answer.strip() == "<":
            raise Back
        return answer.rstrip("\r\n")

    def yes(self, question: str, default: bool) -> bool:
        """A yes or a no."""
        word = self.ask(f"{question} [{'Y/n' if default else 'y/N'}]").strip().lower()
        return default if not word else word[:1] in ("y", "是", "好")


class Plain:
    """The wizard as a dialogue."""

    def __init__(self, dialogue: Dialogue, kept: Kept) -> None:
        self.dialogue = dialogue
        self.kept = kept
        machine = look()
        machine = replace(machine, hubs=hubs_answer()) if machine.hubs is None else machine
        self.state = State(kept.draft, machine=machine).settled()
        self._refused: set[object] = set()  # models whose own code may not run

    def run(self) -> Draft:
        """Ask every step's questions; the draft that came out. Raises :class:`Left`."""
        told = translate("Enter takes what stands in brackets. ? explains, < goes back, * asks every field.")
        self.dialogue.tell(told)
        at = 0
        while at < len(self.state.steps):
            try:
                self._step(self.state.steps[at], at + 1)
                at += 1
            except Back:
                at = max(0, at - 1)
        return self.state.draft

    def mend(self) -> None:
        """Ask for a step by its number, the first with an error by default, and ask that step again."""
        steps = self.state.steps
        names = translate(", ").join(f"{number} {translate(step.title)}" for number, step in enumerate(steps, 1))
        wrong = [number for number, step in enumerate(steps) if errors(self.state.problems_of(step))]
        first = wrong[0] + 1 if wrong else len(steps)
        word = self.dialogue.ask(say("Which step again? {steps} [{first}]", steps=names, first=first).text()).strip()
        number = int(word) if word.isascii() and word.isdigit() and 0 < int(word) <= len(steps) else first
        try:
            self._step(steps[number - 1], number)
        except Back:
            return

    def _step(self, step: Step, number: int) -> None:
        self.dialogue.tell(f"\n== {number}. {translate(step.title)} ==\n{translate(step.intro)}")
        at, advanced = 0, False
        while at < len(self._questions(step, advanced)):
            question = self._questions(step, advanced)[at]
            try:
                more = self._question(question)
            except Back:
                if at == 0:
                    raise
                at -= 1
                continue
            at, advanced = (0, True) if more and not advanced else (at + 1, advanced)
        self._wrong_elsewhere(step)

    def _questions(self, step: Step, advanced: bool) -> list[Question]:
        items = questions_of(step, self.state.draft, advanced, self.state.machine)
        return [item for item in items if isinstance(item, Question)]

    def _question(self, question: Question) -> bool:
        """Ask until the answer fits; whether every field of the step is wanted."""
        self._introduce(question)
        while True:
            text = self.dialogue.ask(self._prompt(question))
            if text.strip() == "*":
                return True
            if text.strip() == "?":
                self.dialogue.tell("\n".join(question.help()))
                continue
            draft = self.state.draft
            if text.strip():
                meant = self._meant(text, question)
                taken = question.path == SOURCE_KEY
                draft = take_source(draft, str(meant)) if taken else draft.answer(question.path, meant)
            elif question.key in draft.missing() and draft.value(question.path) is not None:
                draft = draft.answer(question.path, draft.value(question.path))  # what stands in brackets
            self._become(draft)
            if question.path[0] == REMOTE_CODE_KEY[0]:
                self.consent()
            found = self._problems(question)
            for problem in found:
                self.dialogue.tell(f"  ! {problem.told()}")
            if not errors(found) and self._follow(question):
                return False

    def _introduce(self, question: Question) -> None:
        reason = self.state.reasons().get(question.key, "")
        self.dialogue.tell(f"\n{question.title} ({question.key})")
        self.dialogue.tell(f"  {reason or question.why}")
        for number, choice in enumerate(self._choices(question), 1):
            self.dialogue.tell(f"  {number:>2}. {printable(choice.value)}  {printable(choice.meaning, 400)}".rstrip())

    def _choices(self, question: Question) -> Sequence[Choice]:
        """The answers to choose from by number: the question's own, or the models that are known."""
        if question.path != ("model", "id"):
            return question.choices
        found = known_models.entries(self.state.draft, self.state.facts, self.state.machine, every=False)
        return [Choice(entry.id, " · ".join(known_models.cells(entry)[1:])) for entry in found]

    def _prompt(self, question: Question) -> str:
        value = self.state.draft.value(question.path)
        shown = printable(question.write(value))
        return f"{printable(question.title)} [{shown}]" if value is not None else question.title

    def _meant(self, text: str, question: Question) -> object:
        known = self._choices(question)
        numbers = [part.strip() for part in re.split("[,，、]", text)]
        if all(part.isascii() and part.isdigit() and 0 < int(part) <= len(known) for part in numbers):
            named = [known[int(part) - 1].value for part in numbers]
            if len(named) == 1 or question.many:
                return question.read(", ".join(named))
        return question.read(text)

    def _problems(self, question: Question) -> list[Problem]:
        """Those at the key, its section's among them."""
        placed = [problem for problem in self.state.problems if problem.where.key]
        return [one for one in placed if nearest(tuple(one.where.key.split(".")), [question]) == question]

    def _follow(self, question: Question) -> bool:
        """What an answer makes worth knowing; whether it may stand."""
        asked_for = self.state.asked
        if question.path[0] != "data" or asked_for is None or self.state.current is not None:
            return True
        self.dialogue.tell(translate("Looking through the data …"))
        self._become(self.state.draft, inspected=examine(asked_for))
        if self.state.current is None and self.state.asked is not None:  # what its cells tell of the columns
            self._become(self.state.draft, inspected=examine(self.state.asked))
        found = self.state.current
        if found is None:
            return True
        self.dialogue.show(findings.state_line(self.state, _NO_COLOURS))
        for part in (findings.preview, findings.counts, findings.lengths, findings.findings):
            self.dialogue.show(part(found, _NO_COLOURS))
        if found.inspection.usable:
            remember(found.asked.train)
        return found.inspection.usable or question.key != "data.train"

    def consent(self) -> None:
        """Ask for a yes to code that comes with the model, when it is wanted and nobody was asked for this model."""
        draft = self.state.draft
        refused = draft.value(("model", "id")) in self._refused
        needed = not refused and any(problem.code == "remote-code-needed" for problem in self.state.problems)
        if not (draft.asks_trust or needed):
            return
        question, detail = trust_question(draft)
        self.dialogue.tell(f"  {detail.text()}")
        if self.dialogue.yes(question.text(), default=False):
            self._become(draft.trust())
        else:
            self._refused.add(draft.value(("model", "id")))
            self._become(draft.forget(REMOTE_CODE_KEY))

    def _wrong_elsewhere(self, step: Step) -> None:
        """Problems of the step at keys that were not asked."""
        for problem in errors(self.state.problems_of(step)):
            self.dialogue.tell(f"  ! {problem.line()}")

    def _become(self, draft: Draft, **more: object) -> None:
        self.state = replace(self.state, draft=draft, **more).settled()  # type: ignore[arg-type]
        try:
            self.kept = keep(replace(self.kept, draft=self.state.draft))
        except OSError as fault:
            self.dialogue.tell(say("The draft cannot be kept: {reason}", reason=str(fault.strerror)).text())


def run_plain(
    answers: TextIO | None = None, out: TextIO | None = None, run: Callable[[Path], int] | None = None
) -> int:
    """Ask, save the preset, offer to run it; the exit code. ``run`` starts a preset, by default in this process."""
    dialogue = Dialogue(answers or sys.stdin, out or sys.stdout)
    plain = Plain(dialogue, _begin(dialogue))
    try:
        file = None
        plain.run()
        while file is None:
            try:
                file = _saved(plain)
            except Back:
                plain.mend()
        dialogue.tell(say("Saved: {file}", file=str(file)).text())
        if not dialogue.yes(translate("Run it now?"), default=False):
            discard(plain.kept)
            dialogue.tell(say("Run it with: {command}", command=f"tunewiz run {operand(file)}").text())
            return int(ExitCode.OK)
    except (Left, Back):
        return _left(plain, ExitCode.FAILED)
    except KeyboardInterrupt:
        dialogue.tell()
        return _left(plain, ExitCode.STOPPED)
    code = (run or _run)(file)
    if code == ExitCode.OK:
        discard(plain.kept)  # a run that failed leaves the answers
    return code


def _begin(dialogue: Dialogue) -> Kept:
    """The newest draft if the user wants it (nobody is asked when answers come from a pipe), else a new one."""
    known = unfinished() if dialogue.answers.isatty() else []
    if known:
        title = printable(known[0].title) or translate("without a name")
        try:
            if dialogue.yes(say("Go on with the draft {title}?", title=title).text(), default=True):
                return known[0]
        except (Left, Back, KeyboardInterrupt):
            dialogue.tell()
    return fresh(Draft(folder=str(Path.cwd())))


def _saved(plain: Plain) -> Path:
    """Show what will be needed and save under a name; asks again until it can be written."""
    plain.consent()
    dialogue, state = plain.dialogue, plain.state
    dialogue.tell()
    dialogue.tell("".join(text for text, _ in memory_line(state)))
    wrong = errors(state.problems)
    if wrong:
        for problem in wrong:
            dialogue.tell(f"  ! {problem.line()}")
        raise Back
    dialogue.tell(translate("< goes back to mend something."))
    preset = state.draft.preset()
    while True:
        name = dialogue.ask(say("Save the preset as [{name}]", name=preset.name).text()).strip() or preset.name
        try:
            return library.save(preset, name)
        except BadPreset as fault:
            for problem in fault.problems:
                dialogue.tell(f"  ! {problem.line()}")


def _left(plain: Plain, code: ExitCode) -> int:
    told = translate("Left before the end; your answers are kept and offered again by tunewiz.")
    plain.dialogue.tell(told if plain.state.draft.answers else translate("Left; nothing was answered."))
    return int(code)


def _run(file: Path) -> int:
    from tunewiz.tui.commands.run import RunOptions, run_run

    return run_run(RunOptions([str(file)]))
