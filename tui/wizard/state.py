"""What the wizard shows: the draft and everything known around it, in one value that views only read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from data.language import translate
from data.problems import Problem, errors
from presets.draft import Draft
from presets.memory import Estimate
from presets.suggest import Facts, Suggestion, estimate, suggestions, values
from tui.steps import owner
from tui.steps.base import Step
from tui.wizard.inspecting import Asked, Inspected, asked_of
from tui.wizard.machine import Machine


@dataclass(frozen=True)
class State:
    """``inspected`` and ``machine`` are ``None`` until they are found out; ``advanced`` asks for every field.

    ``looking`` is what the data is being looked through for; once ``inspected`` is of the same, that is over.
    ``backend`` holds what the backend said of the draft ``backend_for``; it counts only for that one.
    ``text`` is the YAML that the user changed to something that is not a preset (yet), when the draft was ``text_for``.
    """

    draft: Draft = field(default_factory=Draft)
    advanced: bool = False
    inspected: Inspected | None = None
    machine: Machine | None = None
    looking: Asked | None = None
    backend: tuple[Problem, ...] = ()
    backend_for: Draft | None = None
    text: str = ""
    text_for: Draft | None = None

    @property
    def unfinished(self) -> str:
        """The text being changed; "" if there is none, or the draft was changed elsewhere since."""
        return self.text if self.text_for and self.text_for.answers == self.draft.answers else ""

    @cached_property
    def facts(self) -> Facts:
        """What suggestions may build on."""
        facts = self.current.facts if self.current else Facts()
        return replace(facts, free=self.machine.free, half=self.machine.half) if self.machine else facts

    @cached_property
    def asked(self) -> Asked | None:
        """What the draft says of its data."""
        return asked_of(self.draft)

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
        earlier = self.draft.suggested if waiting else {}
        settled = replace(self, draft=self.draft.suggest({**earlier, **values(self.suggestions)}))
        # The same answers and facts give the same suggestions: they need not be found again.
        settled.__dict__["suggestions"] = self.suggestions
        return settled

    @cached_property
    def problems(self) -> Sequence[Problem]:
        """What the draft itself says, then what the backend said of it."""
        own = self.draft.problems()
        return [*own, *self.backend] if self.backend_for == self.draft else own

    @cached_property
    def checked(self) -> bool:
        """Whether both passes of checking are done for the draft as it is."""
        return bool(errors(self.draft.problems())) or self.backend_for == self.draft

    @cached_property
    def estimate(self) -> Estimate | None:
        """The memory a run would need."""
        return estimate(self.draft, self.facts)

    def reasons(self) -> dict[str, str]:
        """Why the suggested values are suggested, by key, where they are in use."""
        return {
            key: suggestion.reason.text()
            for key, suggestion in self.suggestions.items()
            if not self.draft.is_answered(tuple(key.split(".")))
        }

    def problems_of(self, step: Step) -> list[Problem]:
        """Those that belong to the keys of ``step``."""
        return [problem for problem in self.problems if problem.where.key and step_of(problem) is step]

    def missing_titles(self, step: Step) -> list[str]:
        """What must still be filled in at ``step``, by its titles."""
        found = [problem for problem in self.problems_of(step) if problem.code == "missing-key"]
        paths = [tuple(problem.where.key.split(".")) for problem in found]
        fields = [(path, self.draft.field(path)) for path in paths]
        return [translate(info.title) if info and info.title else path[-1] for path, info in fields]


def step_of(problem: Problem) -> Step:
    """The step at whose key a problem stands."""
    return owner(tuple(problem.where.key.split(".")))


def placed(problems: Sequence[Problem]) -> list[Problem]:
    """Those that have a place, errors first, in the order of the steps."""
    found = [problem for problem in problems if problem.where.key]
    return sorted(found, key=lambda problem: (problem.severity != "error", step_of(problem).order))


def after(problems: Sequence[Problem], key: str) -> Problem | None:
    """The next problem that has a place, errors first, after the one at ``key``; ``None`` if there is none."""
    ordered = placed(problems)
    here = next((number for number, problem in enumerate(ordered) if problem.where.key == key), -1)
    return ordered[(here + 1) % len(ordered)] if ordered else None
