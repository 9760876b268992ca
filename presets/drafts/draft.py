"""A draft: what has been answered so far on the way to a preset. Pure: no files, no screen.

Answers are plain data, as they would stand in the YAML, whether or not they fit yet: nothing that was typed is lost,
and :meth:`Draft.problems` says what does not fit in the same words as ``tunewiz check``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path as Folder
from typing import Any, Final

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from tunewiz.presets import tasks
from tunewiz.presets.preset import Preset
from tunewiz.presets.recipe import open_keys
from tunewiz.presets.sections.section import Section
from tunewiz.presets.sections.training import Training
from tunewiz.presets.yaml import fields, opening, validation
from tunewiz.presets.yaml.tree import KeyPath, Tree, dotted_path
from tunewiz.problems import BadPreset, Problem, Where, error, errors, say

#: How a false is written in YAML and in answers.
_NO: Final = ("false", "no", "off", "n", "f", "0")


@dataclass(frozen=True)
class Draft:
    """Answers so far; every change gives a new draft.

    ``answers`` were given by the user or by the preset it began from; ``suggested`` fills keys (dotted) that nobody
    answered. ``aside`` keeps the options of methods and losses that were chosen and given up again, by the key of
    their section and their name. ``trusted`` is the model whose own code the user allowed to run, as :attr:`code_of`
    names it. Relative paths begin at ``folder``.
    """

    answers: Mapping[str, Any] = field(default_factory=dict)
    suggested: Mapping[str, Any] = field(default_factory=dict)
    aside: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    folder: str = ""
    trusted: str = ""

    @classmethod
    def of(cls, preset: Preset, folder: str = "") -> Draft:
        """A draft that says what ``preset`` says; keys that the preset left at their defaults stay open."""
        return cls(answers=preset.model_dump(mode="json", exclude_unset=True), folder=folder)

    @property
    def kind(self) -> type[Preset]:
        """The class of presets this will be; while no known task is chosen, the one to check other keys with."""
        known, task = tasks.catalogue(), self.answers.get("task", self.suggested.get("task"))
        return known.get(str(task), next(iter(known.values())))

    @cached_property
    def values(self) -> dict[str, Any]:
        """Answers, and suggestions for the rest, as the preset's plain data; sections that must be there are."""
        kind, merged = self.kind, copy.deepcopy(dict(self.answers))
        for name, info in kind.model_fields.items():
            if info.is_required() and fields.section_of(info.annotation, None) and not fields.choices_of(info):
                merged.setdefault(name, {})
        # Choices first: they decide which other keys there are.
        for key in sorted(self.suggested, key=lambda key: (key.rpartition(".")[2] not in fields.CHOOSERS, key)):
            path = tuple(key.split("."))
            if not _holds(merged, path) and fields.field_at(kind, path, merged) is not None:
                _put(merged, path, copy.deepcopy(self.suggested[key]))
        return merged

    def field(self, path: KeyPath) -> FieldInfo | None:
        """The field at ``path``, ``None`` where there is none."""
        return fields.field_at(self.kind, path, self.filled)  # a method that nobody chose has fields, too

    @cached_property
    def filled(self) -> dict[str, Any]:
        """:attr:`values` with every default written out; keys that must be answered and are not are absent."""
        return _filled(self.kind, self.values)

    def value(self, path: KeyPath) -> Any:
        """The value at ``path``: answered, suggested, or the default (``None`` if it has none)."""
        return Tree(value=self.filled).node(path)

    def default(self, path: KeyPath) -> Any:
        """What would stand at ``path`` without an answer: the suggestion or the default."""
        return self.forget(path).value(path) if self.is_answered(path) else self.value(path)

    def paths(self, above: KeyPath = ()) -> Iterator[tuple[str, ...]]:
        """Every key below ``above`` that can be answered now, sections before what is in them."""
        top = tuple(str(part) for part in above)
        for path in fields.keys(self.kind, self.filled):
            if path[: len(top)] == top and path != top:
                yield path

    def is_answered(self, path: KeyPath) -> bool:
        """Whether the user, or the preset this began from, said what stands at ``path``."""
        return _holds(self.answers, path)

    def answer(self, path: KeyPath, value: Any) -> Draft:
        """With ``value`` at ``path``. Picking another loss or method puts the options of the old one aside."""
        answers = copy.deepcopy(dict(self.answers))
        if len(path) > 1 and path[-1] in fields.CHOOSERS and self._is_choice(path[:-1]):
            return self._choose(answers, path, value)
        _put(answers, path, value)
        return replace(self, answers=answers)

    def forget(self, path: KeyPath) -> Draft:
        """Without an answer at ``path``: the suggestion or the default counts again."""
        answers = copy.deepcopy(dict(self.answers))
        _remove(answers, path)
        return replace(self, answers=answers)

    def begin(self, preset: Preset) -> Draft:
        """With all that ``preset`` says; data named before stays, and the name is made anew."""
        began = Draft.of(preset, self.folder)
        answers = {key: value for key, value in began.answers.items() if key != "name"}
        if self.is_answered(("data", "train")):
            answers["data"] = self.answers["data"]
        return replace(began, answers=answers, aside=self.aside)

    def become(self, preset: Preset) -> Draft:
        """The draft of ``preset`` in which everything that is as it was stays suggested or unanswered."""
        draft, wanted = self, Draft.of(preset, self.folder)
        whole = Draft(answers=preset.model_dump(mode="json"), folder=self.folder)
        paths = sorted(whole.paths(), key=lambda path: (path[-1] not in fields.CHOOSERS or len(path) == 1, len(path)))
        left = {("training", key) for key in open_keys(preset.training)}
        for path in paths:
            value = whole.value(path)
            if path in left:
                draft = draft.forget(path)
            elif (draft.value(path) != value or path in draft.left_open) and not _is_section(whole, path):
                draft = draft.answer(path, value)
        return draft if draft.checked()[0] == preset else replace(wanted, trusted=self.trusted)

    @cached_property
    def left_open(self) -> tuple[tuple[str, str], ...]:
        """Keys that neither an answer nor a suggestion fills, and that the run's recipe will choose."""
        section = fields.section_of(self.kind.model_fields["training"].annotation, None)
        try:
            training = section.model_validate(self.values.get("training") or {}) if section else None
        except ValidationError:
            return ()
        return tuple(("training", key) for key in open_keys(training)) if isinstance(training, Training) else ()

    @property
    def code_of(self) -> str:
        """The model, with its source and revision, whose own code would run here; "" if none would."""
        said = self.value(("model", "trust_remote_code"))
        if not said or str(said).lower() in _NO or not self.value(("model", "id")):
            return ""
        # What is suggested for the source may change with the machine, and is no change of the user's mind.
        source = self.value(("model", "source")) if self.is_answered(("model", "source")) else "auto"
        return " ".join(
            str(part or "") for part in (source, *map(self.value, (("model", "id"), ("model", "revision"))))
        )

    @property
    def asks_trust(self) -> bool:
        """Whether code would run that the user has not said yes to: another model's, or what a preset began with."""
        return self.code_of != "" and self.code_of != self.trusted

    def trust(self) -> Draft:
        """With the user's yes to the code of the model as it is named now."""
        draft = self if self.code_of else self.answer(("model", "trust_remote_code"), True)
        return replace(draft, trusted=draft.code_of)

    def suggest(self, suggestions: Mapping[str, Any]) -> Draft:
        """With ``suggestions`` (dotted key to value) for all keys that are not answered."""
        return replace(self, suggested=dict(suggestions))

    def problems(self) -> list[Problem]:
        """Everything that keeps this from being a preset, then what does not go together in it."""
        preset, found = self.checked()
        if self.asks_trust:
            message = say("Nobody has said yes here to running the code that comes with {id}.",
                          id=str(self.value(("model", "id"))))  # fmt: skip
            fix = say("Say yes when you are asked, or set it to false.")
            found = [*found, error("remote-code-unconfirmed", message, Where("model.trust_remote_code"), fix)]
        return found if preset is None else found + preset.problems()

    def missing(self) -> list[str]:
        """Keys that must be answered and are not."""
        return [problem.where.key for problem in self.checked()[1] if problem.code == "missing-key"]

    def preset(self) -> Preset:
        """The preset, with absolute paths. Raises :class:`BadPreset` with every problem."""
        preset, found = self.checked()
        if preset is None or errors(found):
            raise BadPreset(*found)
        return preset

    def checked(self) -> tuple[Preset | None, list[Problem]]:
        """The preset if the answers make one, and what keeps them from it."""
        tree = Tree(value=copy.deepcopy(self.values))
        kind, found = opening.kind_of(tree)
        found += validation.secret_problems(tree)
        if self.folder:
            opening.anchor(tree, Folder(self.folder), kind)
        try:
            preset = kind.model_validate(tree.value)
        except ValidationError as fault:
            told = {problem.where.key for problem in found}
            found += [
                problem
                for problem in validation.validation_problems(fault, kind, tree)
                if problem.where.key not in told
            ]
            return None, found
        return (None if errors(found) else preset), found

    def _is_choice(self, path: KeyPath) -> bool:
        info = self.field(path)
        return info is not None and bool(fields.choices_of(info)) and bool(fields.section_of(info.annotation, None))

    def _choose(self, answers: dict[str, Any], path: KeyPath, chosen: Any) -> Draft:
        """Pick a member of a union of sections; options that both have are kept, the others are put aside."""
        above, chooser = path[:-1], str(path[-1])
        old = _named(Tree(value=answers).node(above), chooser)
        aside = {key: dict(kept) for key, kept in self.aside.items()}
        kept = aside.setdefault(dotted_path(above), {})
        if isinstance(old.get(chooser), str):
            kept[old[chooser]] = {key: value for key, value in old.items() if key != chooser}
        info = self.field(above)
        section = fields.section_of(info.annotation, {chooser: chosen}) if info else None
        known = section.model_fields if section else {}
        new = {key: value for key, value in old.items() if key in known and key != chooser}
        _put(answers, above, {chooser: chosen} | dict(kept.get(str(chosen), {})) | new)
        return replace(self, answers=answers, aside=aside)


def _is_section(draft: Draft, path: KeyPath) -> bool:
    info = draft.field(path)
    return info is not None and fields.section_of(info.annotation, draft.value(path)) is not None


def _holds(values: Mapping[str, Any], path: KeyPath) -> bool:
    """Whether something, null included, stands at ``path``."""
    node: Any = values
    for part in path:
        if not isinstance(node, Mapping) or part not in node:
            return False
        node = node[part]
    return True


def _put(values: dict[str, Any], path: KeyPath, value: Any) -> None:
    """Set ``path``, with sections made on the way; a bare name there becomes ``{name: ...}``."""
    node = values
    for part, below in pairwise((*path, "")):
        if not below:
            node[str(part)] = value
        else:
            node[str(part)] = node = _named(node.get(str(part)), "name")


def _remove(values: dict[str, Any], path: KeyPath) -> None:
    """Take ``path`` out, and sections that are empty then."""
    holders = [values]
    for part in path[:-1]:
        node = holders[-1].get(str(part))
        if not isinstance(node, dict):
            return
        holders.append(node)
    for holder, part in zip(reversed(holders), reversed(path), strict=True):
        if part == path[-1] or not holder.get(str(part)):
            holder.pop(str(part), None)


def _filled(kind: type[Section], values: Mapping[str, Any]) -> dict[str, Any]:
    filled = dict(values)
    for name, info in kind.model_fields.items():
        if name not in filled and not info.is_required():
            default = info.get_default(call_default_factory=True)
            filled[name] = default.model_dump(mode="json") if isinstance(default, Section) else copy.deepcopy(default)
        value = filled.get(name)
        section = fields.section_of(info.annotation, value)
        if section and isinstance(value, (Mapping, str)):
            filled[name] = _filled(section, _named(value, next(iter(section.model_fields))))
    return filled


def _named(node: Any, chooser: str) -> dict[str, Any]:
    """``node`` as a mapping, with ``chooser: node`` for a bare name."""
    if isinstance(node, Mapping):
        return dict(node)
    return {chooser: node} if isinstance(node, str) else {}
