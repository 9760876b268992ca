"""From YAML text to a preset: parsed, changed by ``--set``, validated, all problems at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from data.problems import BadPreset, Problem, Where, error, errors, say
from presets import anchoring, syntax, tasks, wording
from presets.overriding import override
from presets.preset import Preset
from presets.tree import Tree, parse, path_of


@dataclass(frozen=True)
class Opened:
    """A preset and the text it came from, so that a later problem can name the line of its key."""

    preset: Preset
    tree: Tree

    def placed(self, problems: Iterable[Problem]) -> list[Problem]:
        """``problems`` with file and line of their key, where they name a key and no file."""
        return [self._placed(problem) for problem in problems]

    def _placed(self, problem: Problem) -> Problem:
        key = problem.where.key
        if problem.where.file or not key:
            return problem
        place = self.tree.where(path_of(key))
        return replace(problem, where=Where(key, place.file, place.line))


def opened(text: str, file: str, overrides: Iterable[str] = (), folder: Path | None = None) -> Opened:
    """The preset in ``text``; ``file`` names it in problems, ``folder`` is where its relative paths begin.

    Raises :class:`BadPreset` with everything that is wrong: only text that is not YAML at all ends the search early.
    """
    tree = parse(text, file)
    if not isinstance(tree.value, dict):
        raise BadPreset(*syntax.no_mapping(tree.value, file, text.splitlines()), *tree.problems)
    kind, found = kind_of(tree)
    found += override(tree, overrides, kind)
    if folder is not None:
        anchoring.anchor(tree, folder, kind)
    preset: Preset | None = None
    try:
        preset = kind.model_validate(tree.value)
    except ValidationError as fault:
        told = {problem.where.key for problem in [*found, *tree.problems] if problem.code != "duplicate-key"}
        found += [problem for problem in wording.problems(fault, kind, tree) if problem.where.key not in told]
    found = [*tree.problems, *found]
    if preset is None or errors(found):
        raise BadPreset(*found)
    return Opened(preset, tree)


def kind_of(tree: Tree) -> tuple[type[Preset], list[Problem]]:
    """The class for the tree's task; when it names none, a problem and a class to check the other keys with."""
    known = tasks.catalogue()
    task = tree.value.get("task")
    if isinstance(task, str) and task in known:
        return known[task], []
    likely = known["embedding"]
    names, where = ", ".join(known), tree.where(("task",))
    if "task" not in tree.value:
        fix = say("Add it: one of {words}.", words=names)
        return likely, [error("missing-key", say("The key is missing."), where, fix)]
    rule = say("one of {words}", words=names)
    text = say("{value} does not fit: expected {rule}.", value=wording.shown(task), rule=rule)
    return likely, [error("unknown-task", text, where, wording.suggestion(str(task), list(known)))]
