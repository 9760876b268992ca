"""From YAML text to a preset: parsed, changed by ``--set``, paths made absolute, validated, all problems at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tunewiz.data.folders.hub_ids import on_hub
from tunewiz.presets import tasks
from tunewiz.presets.preset import Preset
from tunewiz.presets.sections.sweep import Range
from tunewiz.presets.yaml import fields, syntax, validation
from tunewiz.presets.yaml.overriding import override
from tunewiz.presets.yaml.tree import KeyPath as Keys
from tunewiz.presets.yaml.tree import Tree, parse, path_of
from tunewiz.problems import BadPreset, Problem, Where, error, errors, say

# Relative paths of a preset, made absolute: nothing depends on the directory a command is typed in.
#
# A path in a preset is relative to the preset's own folder; one given with ``--set`` to the current directory, as every
# path on a command line is.


SAMPLE = "sample:"


def anchor(tree: Tree, folder: Path, kind: type[Preset]) -> None:
    """Make the paths in ``tree`` absolute; ``folder`` is the preset's own."""
    for key in list(fields.keys(kind, tree.value)):
        field = fields.field_at(kind, key, tree.value)
        if field is None:
            continue
        takes_path = bool(fields.about(field, "path"))
        for place in _places(key, tree.node(key)) if takes_path else [key]:
            value = tree.node(place)
            if not isinstance(value, str) or not value.strip():
                continue
            base = Path.cwd() if tree.where(place).file.startswith("--set ") else folder
            is_path = takes_path and not value.startswith(SAMPLE) and not on_hub(value)
            is_model = place == ("model", "id") and _is_folder(value, base, tree.node(("model", "source")))
            if is_path or is_model:
                _replace(tree, place, absolute_path(value, base))


def _places(key: Keys, value: Any) -> list[Keys]:
    """Where the paths stand that a key holds: there, or in each item of its list."""
    if not isinstance(value, list):
        return [key]
    return [(*key, number, "path") if isinstance(item, dict) else (*key, number) for number, item in enumerate(value)]


def absolute_path(value: str, base: Path) -> str:
    """``value`` from ``base``, ``~`` expanded; unchanged where that is impossible (an unknown user's home)."""
    try:
        return str((base / Path(value.strip()).expanduser()).absolute())
    except RuntimeError:
        return value


def _is_folder(value: str, base: Path, source: Any) -> bool:
    """Whether a model's id is a path: said so, written so, or a folder that is there."""
    written_so = value.startswith(("/", "./", "../", "~")) or source == "local"
    try:
        return written_so or (source in (None, "auto") and (base / value).is_dir())
    except (OSError, ValueError):  # too long, or with characters no path can hold
        return False


def _replace(tree: Tree, key: Keys, value: str) -> None:
    holder: Any = tree.node(key[:-1])
    last: Any = key[-1]
    if isinstance(holder, (dict, list)):
        holder[last] = value


@dataclass(frozen=True)
class ParsedPreset:
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


def parse_preset(text: str, file: str, overrides: Iterable[str] = (), folder: Path | None = None) -> ParsedPreset:
    """The preset in ``text``; ``file`` names it in problems, ``folder`` is where its relative paths begin.

    Raises :class:`BadPreset` with everything that is wrong: only text that is not YAML at all ends the search early.
    """
    tree = parse(text, file)
    if not isinstance(tree.value, dict):
        raise BadPreset(*syntax.no_mapping(tree.value, file, text.splitlines()), *tree.problems)
    kind, found = kind_of(tree)
    found += override(tree, overrides, kind)
    if folder is not None:
        anchor(tree, folder, kind)
    found += validation.secret_problems(tree)
    preset: Preset | None = None
    try:
        preset = kind.model_validate(tree.value)
    except ValidationError as fault:
        told = {problem.where.key for problem in [*found, *tree.problems] if problem.code != "duplicate-key"}
        found += [
            problem for problem in validation.validation_problems(fault, kind, tree) if problem.where.key not in told
        ]
    found = [*tree.problems, *found]
    if preset is None or errors(found):
        raise BadPreset(*found)
    if folder is not None and preset.several:
        changed = {"sweep": _anchored(preset, tree, folder), "variants": _anchored_variants(preset, tree, folder)}
        preset = preset.model_copy(update=changed)
    return ParsedPreset(preset, tree)


def _anchored(preset: Preset, tree: Tree, folder: Path) -> dict[str, list[Any] | Range]:
    """The sweep of ``preset`` with the paths among its values absolute, as those of the keys themselves."""
    base = Path.cwd() if tree.where(("sweep",)).file.startswith("--set ") else folder
    return {
        key: values if isinstance(values, Range) else [_placed(preset, tree, key, value, base) for value in values]
        for key, values in preset.sweep.items()
    }


def _anchored_variants(preset: Preset, tree: Tree, folder: Path) -> dict[str, dict[str, Any]]:
    """The variants of ``preset``, in the same way."""
    found = {}
    for name, values in preset.variants.items():
        typed_here = any(
            place[:2] == ("variants", name) and where.file.startswith("--set ") for place, where in tree.places.items()
        )
        base = Path.cwd() if typed_here else folder
        found[name] = {key: _placed(preset, tree, key, value, base) for key, value in values.items()}
    return found


def _placed(preset: Preset, tree: Tree, key: str, value: Any, base: Path) -> Any:
    """``value`` of ``key``, absolute where it is a path."""
    field = fields.field_at(type(preset), path_of(key), tree.value)
    paths = bool(field and fields.about(field, "path"))
    return absolute_path(value, base) if paths and isinstance(value, str) and not _no_path(value) else value


def _no_path(value: str) -> bool:
    return value.startswith(SAMPLE) or bool(on_hub(value))


def kind_of(tree: Tree) -> tuple[type[Preset], list[Problem]]:
    """The class for the tree's task; when it names none, a problem and a class to check the other keys with."""
    known = tasks.catalogue()
    task = tree.value.get("task")
    if isinstance(task, str) and task in known:
        return known[task], []
    likely = next(iter(known.values()))
    names, where = ", ".join(known), tree.where(("task",))
    if "task" not in tree.value:
        fix = say("Add it: one of {words}.", words=names)
        return likely, [error("missing-key", say("The key is missing."), where, fix)]
    rule = say("one of {words}", words=names)
    text = say("{value} does not fit: expected {rule}.", value=validation.show_value(task), rule=rule)
    return likely, [error("unknown-task", text, where, validation.suggestion(str(task), list(known)))]
