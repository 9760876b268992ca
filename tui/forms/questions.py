"""What is asked, from the fields of a preset: questions, with the choices that go with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from tunewiz.language import translate
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.sections.section import Section
from tunewiz.presets.yaml import fields, typed
from tunewiz.presets.yaml.writing import help_lines

Key = tuple[str, ...]


@dataclass(frozen=True)
class Choice:
    """One of the answers offered: what stands in the preset, and what it means, in the current language."""

    value: str
    meaning: str = ""


#: What is offered for a key besides what its field says, found out when it is asked.
Offer = Callable[[Draft], Sequence[Choice]]


_WORD: Final = 12  # characters of an answer that fits beside the name of its key


@dataclass(frozen=True)
class Question:
    """One key to answer. ``choices`` are all the answers there are, if they can be listed; ``many`` may be taken."""

    path: Key
    info: FieldInfo
    choices: tuple[Choice, ...] = ()

    @property
    def many(self) -> bool:
        """Whether the answer is a list of choices."""
        return bool(self.choices) and fields.takes_list(self.info)

    @property
    def key(self) -> str:
        """The key as in a problem or ``--set``."""
        return ".".join(self.path)

    @property
    def title(self) -> str:
        """What it is called, in the current language."""
        return translate(self.info.title or self.path[-1])

    @property
    def description(self) -> str:
        """What it is, in the current language."""
        return _words(self.info.description)

    @property
    def why(self) -> str:
        """The usual values, in the current language; else what it is."""
        return _words(fields.about(self.info, "typical") or self.info.description)

    @property
    def rule(self) -> str:
        """What it takes, in the current language."""
        return fields.rule(self.info).text()

    @property
    def is_path(self) -> bool:
        """Whether it takes a file or folder."""
        return bool(fields.about(self.info, "path"))

    @property
    def is_long(self) -> bool:
        """Whether answers are paths, ids and the like, which want the room of a line."""
        return self.is_path or any(len(self.write(example)) > _WORD for example in self.info.examples or ())

    def read(self, text: str) -> Any:
        """The plain data that ``text`` means as the answer, fitting or not."""
        return typed.read(text, self.info.annotation)

    def stands_alone(self, word: str) -> bool:
        """Whether ``word`` is an answer of its own among choices of which many may be taken, as ``all`` is."""
        return self.many and isinstance(self.read(word), str)

    def write(self, value: Any) -> str:
        """``value`` as a line that :meth:`read` reads back."""
        return typed.write(value, self.info.annotation)

    def help(self) -> list[str]:
        """All there is to say of it, a line each: what it is, choices or range, usual values, larger and smaller."""
        lines = [self.description] if self.choices else list(help_lines(self.info))
        lines += [
            f"  {choice.value}: {choice.meaning}" if choice.meaning else f"  {choice.value}" for choice in self.choices
        ]
        labels = {"larger": translate("Larger:"), "smaller": translate("Smaller:")}
        if self.choices:
            labels = {"typical": translate("Usual:")} | labels
        told = {label: fields.about(self.info, what) for what, label in labels.items()}
        return [*lines, *(f"{label} {translate(text)}" for label, text in told.items() if text)]


@dataclass(frozen=True)
class Heading:
    """Where a section within the step begins."""

    path: Key
    title: str
    description: str


def questions(draft: Draft, keys: Iterable[Key], offers: Mapping[str, Offer]) -> Iterator[Question | Heading]:
    """``keys`` as questions, each section under its heading; what can have but one value is not asked."""
    for path in keys:
        info = draft.field(path)
        if info is None or _picks(draft, path):
            continue
        section = fields.section_of(info.annotation, draft.value(path))
        known = choices(info)
        offered = tuple(offers[".".join(path)](draft)) if ".".join(path) in offers else ()
        if section and known:
            yield Question((*path, fields.chooser(info)), info, offered or known)
        elif section:
            yield Heading(path, translate(info.title or path[-1]), _words(info.description))
        elif offered:
            yield Question(path, info, offered)
        elif len(known) != 1:
            yield Question(path, info, known)


def choices(info: FieldInfo) -> tuple[Choice, ...]:
    """Every answer the field takes, if they can be listed: a Literal's words, the sections of a union, the losses."""
    sections = sorted(_members(info), key=lambda member: member[1].place)
    if len(sections) > 1:
        return tuple(Choice(name, _who_for(kind, name)) for name, kind in sections)
    kinds = set(fields.members(info.annotation)) - {NoneType}
    items = [get_args(kind)[0] if get_origin(kind) is list else kind for kind in kinds]
    meanings = fields.about(info, "choices") or {}
    if all(get_origin(item) is Literal or (item is str and meanings) for item in items):
        return tuple(Choice(word, _words(meanings.get(word))) for word in fields.choices_of(info))
    return ()


def _words(text: str | None) -> str:
    """``text`` in the current language; nothing for nothing."""
    return translate(text) if text else ""


def _members(info: FieldInfo) -> Iterator[tuple[str, type[Section]]]:
    if fields.section_of(info.annotation, None) is None:
        return
    for name in fields.choices_of(info):
        kind = fields.section_of(info.annotation, dict.fromkeys(fields.CHOOSERS, name))
        if kind:
            yield name, kind


def _who_for(kind: type[Section], name: str) -> str:
    """When to choose a section: what its class says, else what its type says."""
    told = getattr(kind, "who_for", "")
    field = kind.model_fields.get("type")
    meanings = (fields.about(field, "choices") if field else None) or {}
    return _words(told or meanings.get(name))


def _picks(draft: Draft, path: Key) -> bool:
    """Whether the key picks among sections, and so is asked with its section."""
    above = draft.field(path[:-1]) if len(path) > 1 and path[-1] in fields.CHOOSERS else None
    return above is not None and fields.chooser(above) == path[-1]


def nearest(path: Key, asked: Sequence[Question]) -> Question | None:
    """The question at ``path``, else the first below it, else the one that holds it."""
    below = [question for question in asked if question.path[: len(path)] == path]
    above = [question for question in asked if path[: len(question.path)] == question.path]
    beside = [question for question in asked if len(path) == 1 and question.path[0] == path[0]]
    return next(iter([*(question for question in below if question.path == path), *below, *above, *beside]), None)
