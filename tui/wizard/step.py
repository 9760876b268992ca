"""A step of the wizard, how it is shown, and the state that it shows.

The full screen and ``tunewiz --plain`` ask the same steps. Each one stands with its view in a file of ``steps``:
a subclass of :class:`Step`, and of :class:`View` where it shows more than a form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widget import Widget

from tunewiz.language import translate
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.drafts.suggest import Facts, Suggestion, estimate, suggestions, values
from tunewiz.presets.memory import Estimate
from tunewiz.problems import Problem, Where, error, errors, say
from tunewiz.registry import Registry
from tunewiz.tui.forms.form import Form
from tunewiz.tui.forms.questions import Heading, Key, Offer, Question, questions
from tunewiz.tui.widgets.labels import Words
from tunewiz.tui.wizard.inspecting import Inspected, InspectionRequest, inspection_request
from tunewiz.tui.wizard.machine import Machine

# What views ask of the wizard's screen.


@dataclass
class Edited(Message):
    """Several answers changed at once; ``draft`` makes the new draft of the one there is."""

    draft: Callable[[Draft], Draft]


@dataclass
class Unfinished(Message):
    """The text of the preset is being changed and is not taken over yet; "" once it is.

    ``problems`` are what keeps it from being taken over; ``None`` while it is not read yet.
    """

    text: str
    problems: tuple[Problem, ...] | None = None


@dataclass
class JumpWanted(Message):
    """Go to the field of ``key`` (dotted)."""

    key: str


class SaveWanted(Message):
    """Save the preset under a name."""


class LaunchWanted(Message):
    """Start the run."""


class LookWanted(Message):
    """Look through the data once more."""


class Step:
    """Part of the wizard: the keys it asks for and how they are shown. It holds no state; the draft does."""

    #: What it is called in a kept draft.
    name: ClassVar[str]
    #: Steps are asked by rising order.
    order: ClassVar[int]
    #: Its name on the screen, and what is decided here, in a sentence; both marked with ``N_``.
    title: ClassVar[str]
    intro: ClassVar[str]
    #: Keys and sections it owns (dotted). One that is named more precisely elsewhere belongs there.
    keys: ClassVar[tuple[str, ...]] = ()
    #: Those asked when few are, in the order they are asked.
    simple: ClassVar[tuple[str, ...]] = ()
    #: Lessons that belong to it, the first one foremost.
    lessons: ClassVar[tuple[str, ...]] = ()
    #: Others in their place, where a kind of model needs them.
    task_lessons: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    #: Whether it also takes every key that no step names.
    rest: ClassVar[bool] = False

    def applies(self, draft: Draft) -> bool:
        """Whether the draft's task has any of its keys."""
        return self.rest or any(draft.field(tuple(key.split("."))) for key in self.keys)

    def has_a_choice(self, machine: Machine | None) -> bool:
        """Whether there is something to choose on ``machine`` (``None``: not known yet); else others ask."""
        return True

    def topics(self, draft: Draft) -> tuple[str, ...]:
        """The lessons for the draft's task."""
        return self.task_lessons.get(draft.kind.model_kind, self.lessons)

    def offers(self) -> Mapping[str, Offer]:
        """Answers to choose from that are found out elsewhere (tasks, backends, formats), by key."""
        return {}

    def view(self, advanced: bool) -> View:
        """The widget that shows it; by default a form of its questions."""
        return View(self, advanced)


@cache
def steps() -> tuple[Step, ...]:
    """Every step, in the order they are asked."""
    found = Registry("tunewiz.tui.wizard.steps", Step).classes().values()
    return tuple(sorted((kind() for kind in found), key=lambda step: step.order))


def steps_for(draft: Draft, machine: Machine | None = None) -> tuple[Step, ...]:
    """The steps that have something to ask for the draft's task on ``machine``."""
    return tuple(step for step in steps() if step.applies(draft) and step.has_a_choice(machine))


def owner(path: Key, machine: Machine | None = None) -> Step:
    """The step that asks for the key at ``path`` on ``machine``: the one that names it, or a section above it, most
    precisely; of two that do so the later one.
    """
    matches = {
        len(prefix): step
        for step in steps()
        if step.has_a_choice(machine)
        for prefix in (tuple(key.split(".")) for key in step.keys)
        if path[: len(prefix)] == prefix
    }
    return matches[max(matches)] if matches else next(step for step in steps() if step.rest)


def _rank(path: Key, step: Step) -> int:
    """The place of the key's section among those the step names; the most precise counts, others come last."""
    named = [tuple(key.split(".")) for key in step.keys]
    lengths = [len(prefix) if path[: len(prefix)] == prefix else 0 for prefix in named]
    return lengths.index(max(lengths)) if any(lengths) else len(named)


def questions_of(step: Step, draft: Draft, advanced: bool, machine: Machine | None = None) -> list[Question | Heading]:
    """What ``step`` asks: every key it owns, or the few that matter on ``machine``, in the step's own order."""
    own = sorted((path for path in draft.paths() if owner(path, machine) is step), key=lambda path: _rank(path, step))
    if not advanced:
        wanted = [path for key in step.simple for path in own if path == tuple(key.split("."))]
        return [item for item in questions(draft, wanted, step.offers()) if isinstance(item, Question)]
    items = list(questions(draft, own, step.offers()))
    if len({item.path[0] for item in items}) == 1 and items and isinstance(items[0], Heading):
        return items[1:]  # the step's own title says it
    return items


# What the wizard shows: the draft and everything known around it, in one value that views only read.


@dataclass(frozen=True)
class State:
    """``inspected`` and ``machine`` are ``None`` until they are found out; ``advanced`` asks for every field.

    ``looking`` is what the data is being looked through for; once ``inspected`` is of the same, that is over.
    ``backend`` holds what the backend said of the draft ``backend_for``; it counts only for that one.
    ``text`` is the YAML that the user changed to something that is not a preset (yet), when the draft was ``text_for``;
    ``text_problems`` say why it is none, once it was read.
    """

    draft: Draft = field(default_factory=Draft)
    advanced: bool = False
    inspected: Inspected | None = None
    machine: Machine | None = None
    looking: InspectionRequest | None = None
    backend: tuple[Problem, ...] = ()
    backend_for: Draft | None = None
    text: str = ""
    text_for: Draft | None = None
    text_problems: tuple[Problem, ...] | None = None

    @property
    def unfinished(self) -> str:
        """The text being changed; "" if there is none, or the draft was changed elsewhere since."""
        return self.text if self.text_for and self.text_for.answers == self.draft.answers else ""

    @property
    def steps(self) -> tuple[Step, ...]:
        """Those that have something to ask."""
        return steps_for(self.draft, self.machine)

    @cached_property
    def facts(self) -> Facts:
        """What suggestions may build on."""
        facts = self.current.facts if self.current else Facts()
        machine = self.machine
        if machine is None:
            return replace(facts, hubs=None)
        return replace(facts, free=machine.free, half=machine.half, here=machine.cached, hubs=machine.hubs)

    @cached_property
    def asked(self) -> InspectionRequest | None:
        """What the draft says of its data."""
        return inspection_request(self.draft)

    @cached_property
    def current(self) -> Inspected | None:
        """What was found in the data that the draft names; ``None`` while that is not known."""
        return self.inspected if self.inspected and self.inspected.asked == self.asked else None

    @cached_property
    def suggestions(self) -> Mapping[str, Suggestion]:
        """What is suggested for the keys that nobody answered."""
        return suggestions(self.draft, self.facts)

    def settled(self) -> State:
        """With the draft taking up the suggestions that hold; while the data is looked through, earlier ones stay."""
        waiting = self.asked is not None and self.current is None
        earlier = dict(self.draft.suggested) if waiting else {}
        if self.inspected is None or self.asked is None or self.inspected.asked.train != self.asked.train:
            earlier.pop("data.columns", None)  # another file has other columns
        settled = replace(self, draft=self.draft.suggest({**earlier, **values(self.suggestions)}))
        # The same answers and facts give the same suggestions: they need not be found again.
        settled.__dict__["suggestions"] = self.suggestions
        return settled

    @cached_property
    def problems(self) -> Sequence[Problem]:
        """What the draft itself says and what keeps its data from being used, then what the backend said of it.

        While the text of the preset is changed to something else, what is wrong with that.
        """
        if self.unfinished:
            return self.text_problems or ()
        own = [*self.draft.problems(), *self._of_data]
        return [*own, *self.backend] if self.backend_for == self.draft else own

    @property
    def _of_data(self) -> list[Problem]:
        """The first error that the look at the data met, at the key that names the data; else its warnings."""
        wrong = self.current.wrong if self.current else None
        if wrong is None or wrong.where.key:
            return [wrong] if wrong else list(self.current.doubts) if self.current else []
        message = say("The data cannot be used: {what}", what=wrong.message)
        return [error("data-unusable", message, Where(key="data.train"), wrong.fix)]

    @cached_property
    def checked(self) -> bool:
        """Whether the data has been looked through, and both passes of checking are done for the draft as it is."""
        if self.unfinished:
            return self.text_problems is not None
        looked = self.asked is None or self.current is not None
        return bool(errors(self.problems)) or (looked and self.backend_for == self.draft)

    @cached_property
    def estimate(self) -> Estimate | None:
        """The memory a run would need."""
        return estimate(self.draft, self.facts)

    def reasons(self) -> dict[str, str]:
        """Why the suggested values are suggested, by key, where they are in use."""
        later = translate("Chosen from the data when the run begins; what you enter stays.")
        return {".".join(path): later for path in self.draft.left_open} | {
            key: suggestion.reason.text()
            for key, suggestion in self.suggestions.items()
            if not self.draft.is_answered(tuple(key.split(".")))
        }

    def problems_of(self, step: Step) -> list[Problem]:
        """Those that belong to the keys of ``step``; to the last one what has no key, and what is wrong with a text."""
        last = steps()[-1]
        return [one for one in self.problems if (last if self.unfinished else step_of(one, self.machine)) is step]

    def missing_titles(self, step: Step) -> list[str]:
        """What must still be filled in at ``step``, by its titles."""
        return [self.title_of(problem) for problem in self.problems_of(step) if problem.code == "missing-key"]

    def title_of(self, problem: Problem) -> str:
        """What the key of ``problem`` is called on the screen; empty without one."""
        path = tuple(problem.where.key.split("."))
        info = self.draft.field(path)
        return translate(info.title) if info and info.title else path[-1]


def step_of(problem: Problem, machine: Machine | None = None) -> Step:
    """The step at whose key a problem stands; what has no key is told at the last one, where all problems are."""
    return owner(tuple(problem.where.key.split(".")), machine) if problem.where.key else steps()[-1]


def by_place(problems: Sequence[Problem]) -> list[Problem]:
    """``problems`` with errors first, in the order of the steps."""
    return sorted(problems, key=lambda problem: (problem.severity != "error", step_of(problem).order))


def after(problems: Sequence[Problem], key: str) -> Problem | None:
    """The next problem, errors first, after the one at ``key``; ``None`` if there is none."""
    ordered = by_place(problems)
    here = next((number for number, problem in enumerate(ordered) if problem.where.key == key), -1)
    return ordered[(here + 1) % len(ordered)] if ordered else None


# A step on the screen: what is decided here, what belongs to the step alone, and a form of its questions.


class View(VerticalScroll, can_focus=False):
    """Shows a :class:`State`; steps with more than a form extend it. It never changes the state: it posts answers."""

    def __init__(self, step: Step, advanced: bool) -> None:
        super().__init__()
        self.step = step
        self.advanced = advanced

    def compose(self) -> ComposeResult:
        """From the top: the intro, the step's own part, the form."""
        yield Words(self.step.intro, classes="view--intro")
        yield from self.above()
        yield Form(roomy=not self.advanced)
        yield from self.below()

    def above(self) -> Iterable[Widget]:
        """What stands above the form."""
        return ()

    def below(self) -> Iterable[Widget]:
        """What stands below the form."""
        return ()

    @property
    def form(self) -> Form:
        """The form of the step's questions."""
        return self.query_one(Form)

    async def show(self, state: State) -> None:
        """Show ``state``."""
        items = questions_of(self.step, state.draft, self.advanced, state.machine)
        await self.form.ask(items, state.draft, state.problems_of(self.step), state.reasons())

    def question_at(self, widget: Widget | None) -> Question | None:
        """The question that ``widget`` belongs to."""
        return self.form.question_at(widget)

    def focus_on(self, path: Key) -> bool:
        """Put the cursor on the question of ``path``; whether there is one."""
        return self.form.focus_on(path)

    def show_problem(self, problem: Problem) -> None:
        """Show a problem that stands at no question."""

    def focus_first(self) -> None:
        """Put the cursor where one begins."""
        first = next((widget for widget in self.query(Widget) if widget.focusable), None)
        if first:
            first.focus(scroll_visible=False)
