"""The wizard's steps, one file each, found by file name; the full screen and ``tunewiz --plain`` ask the same ones."""

from __future__ import annotations

import inspect
import pkgutil
from functools import cache
from importlib import import_module

from presets.draft import Draft
from tui.forms.questions import Heading, Key, Question, questions
from tui.steps.base import Step


@cache
def steps() -> tuple[Step, ...]:
    """Every step, in the order they are asked."""
    names = [item.name for item in pkgutil.iter_modules(__path__) if item.name != "base"]
    members = [member for name in names for member in vars(import_module(f"{__name__}.{name}")).values()]
    kinds = [member for member in members if inspect.isclass(member) and issubclass(member, Step)]
    return tuple(sorted((kind() for kind in set(kinds) - {Step}), key=lambda step: step.order))


def steps_for(draft: Draft) -> tuple[Step, ...]:
    """The steps that have something to ask for the draft's task."""
    return tuple(step for step in steps() if step.applies(draft))


def owner(path: Key) -> Step:
    """The step that asks for the key at ``path``: the one that names it, or a section above it, most precisely."""
    matches = {
        len(prefix): step
        for step in steps()
        for prefix in (tuple(key.split(".")) for key in step.keys)
        if path[: len(prefix)] == prefix
    }
    return matches[max(matches)] if matches else next(step for step in steps() if step.rest)


def _rank(path: Key, step: Step) -> int:
    """The place of the key's section among those the step names; the most precise counts, others come last."""
    named = [tuple(key.split(".")) for key in step.keys]
    lengths = [len(prefix) if path[: len(prefix)] == prefix else 0 for prefix in named]
    return lengths.index(max(lengths)) if any(lengths) else len(named)


def asked(step: Step, draft: Draft, advanced: bool) -> list[Question | Heading]:
    """What ``step`` asks: every key it owns, or the few that matter, in the step's own order."""
    own = sorted((path for path in draft.paths() if owner(path) is step), key=lambda path: _rank(path, step))
    if not advanced:
        wanted = [path for key in step.simple for path in own if path == tuple(key.split("."))]
        return [item for item in questions(draft, wanted, step.offers()) if isinstance(item, Question)]
    items = list(questions(draft, own, step.offers()))
    if len({item.path[0] for item in items}) == 1 and items and isinstance(items[0], Heading):
        return items[1:]  # the step's own title says it
    return items
