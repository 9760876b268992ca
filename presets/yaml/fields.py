"""What the fields of a section take: found by path, worded as a rule.

The same words stand above the key in a written preset, in the help, and in the problem when a value does not fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from inspect import isabstract
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

import annotated_types
from pydantic.fields import FieldInfo

from tunewiz.language import N_
from tunewiz.presets.losses import catalogue
from tunewiz.presets.losses.loss import Loss
from tunewiz.presets.sections.section import Section
from tunewiz.presets.yaml.tree import KeyPath, child, write_scalar
from tunewiz.problems import Message, say

#: Keys that pick among the sections of a field: a loss by its name, a method by its type.
CHOOSERS: Final = ("name", "type")
#: By (has a low end, it is open, has a high end, it is open).
_RANGES = {
    ("ge", "le"): N_("from {low} to {high}"),
    ("ge", "lt"): N_("from {low} to below {high}"),
    ("gt", "le"): N_("above {low} and at most {high}"),
    ("gt", "lt"): N_("above {low} and below {high}"),
    ("ge", ""): N_("of at least {low}"),
    ("gt", ""): N_("above {low}"),
    ("", "le"): N_("of at most {high}"),
    ("", "lt"): N_("below {high}"),
}


def section_of(annotation: Any, value: Any) -> type[Section] | None:
    """The section that ``value`` (plain data) means where ``annotation`` stands; ``None`` when it takes none."""
    kinds = list(_sections(annotation))
    if not kinds:
        return None
    options = value if isinstance(value, Mapping) else {}
    losses = _losses(kinds)
    if losses:
        return catalogue(losses).get(str(options.get("name", value)), losses)
    return next((kind for kind in kinds if _tag(kind) == options.get("type", value)), kinds[0])


def _sections(annotation: Any) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    elif get_origin(annotation) not in (list, dict):
        for part in get_args(annotation):
            yield from _sections(part)


def losses_of(field: FieldInfo) -> type[Loss] | None:
    """The base class of the losses that ``field`` takes, if losses are what it takes."""
    return _losses(list(_sections(field.annotation)))


def _losses(kinds: list[type[Section]]) -> type[Loss] | None:
    """The base class of the losses that a field takes, if losses are what it takes."""
    return kinds[0] if len(kinds) == 1 and issubclass(kinds[0], Loss) and isabstract(kinds[0]) else None


def _tag(kind: type[Section]) -> object:
    field = kind.model_fields.get("type")
    return field.default if field else None


def chooser(field: FieldInfo) -> str:
    """The key that picks among the sections ``field`` takes; "" if it takes one or none."""
    kind = section_of(field.annotation, None)
    return next((name for name in CHOOSERS if kind and name in kind.model_fields and choices_of(field)), "")


def is_chosen(section: type[Section], value: Mapping[str, Any]) -> bool:
    """Whether ``value`` names ``section`` by its ``name`` or ``type``, not just falls back to it."""
    return any(
        key in value and key in section.model_fields and section.model_fields[key].default == value[key]
        for key in CHOOSERS
    )


def steps(root: type[Section], path: KeyPath, value: Any) -> Iterator[tuple[type[Section] | None, FieldInfo | None]]:
    """For each part of ``path``, the section it is a key of and its field; ``None`` for items and unknown keys.

    ``value`` is the plain data, which decides between sections of a union and between losses.
    """
    section: type[Section] | None = root
    holder: FieldInfo | None = None
    for part in path:
        field = section.model_fields.get(str(part)) if section else None
        yield section, field
        value = child(value, part)
        taken = field.annotation if field else items(holder.annotation) if holder and isinstance(part, int) else None
        section, holder = section_of(taken, value), field


def field_at(root: type[Section], path: KeyPath, value: Any) -> FieldInfo | None:
    """The field at ``path``, ``None`` when the path names none."""
    return next((field for _, field in reversed(list(steps(root, path, value)))), None)


def above(root: type[Section], path: KeyPath, value: Any) -> FieldInfo | None:
    """The field that the list or mapping holding the item at ``path`` belongs to."""
    return next((field for _, field in reversed(list(steps(root, path, value))) if field), None)


def item_rule(root: type[Section], path: KeyPath, value: Any) -> Message:
    """What a list or mapping takes as its item at ``path``."""
    field = above(root, path, value)
    if field is None:
        return say("a value")
    item = items(field.annotation)
    return rule(field) if item is None else _rule(item, [], field)


def members(annotation: Any) -> list[Any]:
    """The types that ``annotation`` takes: those of a union, else itself; without the constraints of ``Annotated``."""
    if hasattr(annotation, "__metadata__"):
        return members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [kind for part in get_args(annotation) for kind in members(part)]
    return [annotation]


def items(annotation: Any) -> Any:
    """What ``annotation`` takes as an item of its list or mapping; ``None`` where it takes neither."""
    return next((get_args(kind)[-1] for kind in members(annotation) if get_origin(kind) in (list, dict)), None)


def takes(root: type[Section], path: KeyPath, value: Any) -> Any:
    """The annotation of the field or item at ``path``; ``Any`` where the path names none."""
    field = field_at(root, path, value)
    if field is not None:
        return field.annotation
    holder = above(root, path, value)
    return (items(holder.annotation) if holder else None) or Any


def takes_text(field: FieldInfo) -> bool:
    """Whether ``field``, or its items, are text of any kind."""
    return str in members(field.annotation) or items(field.annotation) is str


def takes_list(field: FieldInfo) -> bool:
    """Whether ``field`` may be a list."""
    return any(get_origin(kind) is list for kind in members(field.annotation))


def keys(root: type[Section], value: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key that ``root`` can have, sections before what is in them."""
    for name, field in root.model_fields.items():
        path = (*above, name)
        yield path
        section = section_of(field.annotation, child(value, name))
        if section and len(path) < 5:
            yield from keys(section, child(value, name), path)


def about(field: FieldInfo, what: str) -> Any:
    """One of the facts given with :func:`tunewiz.presets.sections.section.about`; ``None`` if the field lacks it."""
    extra = field.json_schema_extra
    return extra.get(what) if isinstance(extra, dict) else None


def choices(annotation: Any) -> tuple[str, ...]:
    """The words that ``annotation`` takes, also within a union or a list."""
    if get_origin(annotation) is Literal:
        return tuple(str(item) for item in get_args(annotation))
    return tuple(word for part in get_args(annotation) for word in choices(part))


def choices_of(field: FieldInfo) -> tuple[str, ...]:
    """The words that ``field`` takes: its Literals, the known losses, the types of a union of sections."""
    kinds = list(_sections(field.annotation))
    losses = _losses(kinds)
    if losses:
        return tuple(catalogue(losses))
    if len(kinds) > 1:
        return tuple(str(_tag(kind)) for kind in kinds)
    meanings = about(field, "choices") if field.annotation is str else None
    return tuple(meanings) if meanings else choices(field.annotation)


def rule(field: FieldInfo) -> Message:
    """What ``field`` takes, in words that follow "expected": ``a whole number from 1 to 64``."""
    own = about(field, "rule")
    return Message(own) if own else _rule(field.annotation, field.metadata, field)


def _rule(annotation: Any, metadata: list[Any], field: FieldInfo) -> Message:
    origin, parts = get_origin(annotation), get_args(annotation)
    if list(_sections(annotation)):
        if choices_of(field):
            return say("a name, or keys indented below it")
        return say("keys indented below it, such as {key}", key=next(iter(next(_sections(annotation)).model_fields)))
    if origin is Literal:
        words = ", ".join(write_scalar(item) for item in parts)
        return say("{words}", words=words) if len(parts) == 1 else say("one of {words}", words=words)
    if origin is list:
        return say("a list, each item {items}", items=_rule(parts[0], [], field))
    if origin is dict:
        return say("names with text, one a line")
    if origin is not None and hasattr(annotation, "__metadata__"):  # Annotated
        return _rule(parts[0], [*metadata, *_constraints(annotation)], field)
    if parts:
        return _either([_rule(part, metadata, field) for part in parts])
    return _simple(annotation, _constraints_of(metadata))


def _either(rules: list[Message]) -> Message:
    first, *others = rules
    for other in others:
        first = say("{first} or {other}", first=first, other=other)
    return first


def _simple(annotation: Any, limits: Mapping[str, float]) -> Message:
    if annotation is NoneType:
        return say("null")
    if annotation is bool:
        return say("true or false")
    if annotation is str:
        return say("text")
    if annotation not in (int, float):
        return say("a value")
    span = _range(limits)
    if annotation is int:
        return say("a whole number {range}", range=span) if span else say("a whole number")
    return say("a number {range}", range=span) if span else say("a number")


def _range(limits: Mapping[str, float]) -> Message | None:
    low = next((name for name in ("ge", "gt") if name in limits), "")
    high = next((name for name in ("le", "lt") if name in limits), "")
    if not low and not high:
        return None
    ends = {"low": _short(limits.get(low, 0)), "high": _short(limits.get(high, 0))}
    return Message(_RANGES[low, high], ends)


def _short(number: float) -> str:
    return str(int(number)) if number == int(number) else f"{number:g}"


def _constraints(annotation: Any) -> list[Any]:
    found: list[Any] = []
    for item in annotation.__metadata__:
        found += item.metadata if isinstance(item, FieldInfo) else [item]
    return found


def _constraints_of(metadata: list[Any]) -> dict[str, float]:
    limits: dict[str, float] = {}
    for item in metadata:
        for name, kind in (
            ("ge", annotated_types.Ge),
            ("gt", annotated_types.Gt),
            ("le", annotated_types.Le),
            ("lt", annotated_types.Lt),
        ):
            if isinstance(item, kind):
                limits[name] = getattr(item, name)
    return limits
