"""A preset as YAML that explains itself: every default written out, every key with its help above it.

What the recipe is still to choose stays open: it is not written, for what is written stays.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic.fields import FieldInfo

from tunewiz.language import translate
from tunewiz.presets.preset import Preset
from tunewiz.presets.recipe import KEYS, open_keys
from tunewiz.presets.sections.section import Auto, Section
from tunewiz.presets.sections.training import RetrievalTraining
from tunewiz.presets.yaml import fields
from tunewiz.presets.yaml.tree import write_scalar
from tunewiz.problems import say

_WIDTH: Final = 100
_NEVER_FIRST: Final = "，。；：、）”` "


def dumps(preset: Preset, brief: bool = False) -> str:
    """``preset`` as YAML text with comments in the current language; ``brief`` leaves out comments and defaults.

    :func:`tunewiz.presets.yaml.library.loads` reads it back equal.
    """
    return "\n".join(_briefly(preset, 0) if brief else _section(preset, 0)) + "\n"


def _briefly(section: Section, depth: int) -> Iterator[str]:
    """What differs from the defaults, and what tells sections apart."""
    for number, name in enumerate(_ordered(section)):
        info, value = type(section).model_fields[name], getattr(section, name)
        base = Preset.model_fields.get(name) if depth == 0 else None
        kept = info.is_required() or (depth > 0 and number == 0) or (base is not None and base.is_required())
        if name in _open(section):
            continue
        said = name in _said(section) or bool(isinstance(value, Section) and _said(value))
        said = said or isinstance(value, Auto)
        if not kept and not said and value == info.get_default(call_default_factory=True):
            continue
        if isinstance(value, Section):
            yield f"{'  ' * depth}{name}:"
            yield from _briefly(value, depth + 1)
        else:
            yield from _entry(name, value, depth)


def _open(section: Section) -> tuple[str, ...]:
    """Keys that the recipe is still to choose."""
    return open_keys(section) if isinstance(section, RetrievalTraining) else ()


def _said(section: Section) -> set[str]:
    """Keys that say something even with their default: what is written is not chosen by the recipe."""
    open_to_choice = isinstance(section, RetrievalTraining) and section.recipe == "auto"
    return set(KEYS) & section.model_fields_set if open_to_choice else set()


def _ordered(section: Section) -> list[str]:
    own = type(section).model_fields
    first = [name for name in Preset.ORDER if name in own] if isinstance(section, Preset) else []
    return [*first, *(name for name in own if name not in first)]


def _section(section: Section, depth: int) -> Iterator[str]:
    own = type(section).model_fields
    for number, name in enumerate(_ordered(section)):
        value = getattr(section, name)
        if isinstance(value, Section) and number:
            yield ""
        yield from _comment(own[name], value, depth)
        if name in _open(section):
            later = translate("chosen from the data when the run begins (recipe)")
            yield f"{'  ' * depth}# {name}: {later}"
        else:
            yield from _entry(name, value, depth)


def _entry(name: str, value: Any, depth: int) -> Iterator[str]:
    indent = "  " * depth
    if isinstance(value, Section):
        yield f"{indent}{name}:"
        yield from _section(value, depth + 1)
    elif isinstance(value, Mapping) and value:
        yield f"{indent}{name}:"
        for key, item in value.items():
            several = _flow(item) if isinstance(item, Section) else _value(item) if isinstance(item, list) else ""
            yield f"{indent}  {write_scalar(key)}: {several or write_scalar(item)}"
    elif isinstance(value, list) and any(isinstance(item, Section) for item in value):
        yield f"{indent}{name}:"
        for item in value:
            yield from _item_lines(item, f"{indent}  ")
    else:
        yield f"{indent}{name}: {_value(value)}"


def _item_lines(item: Any, indent: str) -> Iterator[str]:
    """An item of a list, a key a line: what it says and no more."""
    if not isinstance(item, Section):
        yield f"{indent}- {_value(item)}"
        return
    for number, (key, value) in enumerate(item.model_dump(mode="json").items()):
        shown = _flow(value) if isinstance(value, Mapping) else _value(value)
        yield f"{indent}{'  ' if number else '- '}{key}: {shown}"


def _flow(value: Section | Mapping[str, Any]) -> str:
    """A mapping in braces, on one line."""
    said = value.model_dump() if isinstance(value, Section) else value
    return "{" + ", ".join(f"{_item(str(name))}: {_item(one)}" for name, one in said.items()) + "}"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_item(item) for item in value) + "]"
    return write_scalar(value)


def _item(item: Any) -> str:
    """An item of a list in brackets, where commas and brackets have a meaning."""
    text = _value(item)
    return f'"{text}"' if isinstance(item, str) and text == item and set(item) & set(",[]{}:#") else text


def _comment(field: FieldInfo, value: Any, depth: int) -> Iterator[str]:
    indent = "  " * depth + "# "
    for line in help_lines(field, isinstance(value, Section)):
        yield from _wrapped(line, indent)


def help_lines(field: FieldInfo, brief: bool = False) -> Iterator[str]:
    """What ``field`` is, its choices or range, and usual values, in the current language; ``brief``: the first only."""
    if field.description:
        yield translate(field.description)
    if brief:
        return
    meanings = fields.about(field, "choices")
    if meanings:
        for choice, meaning in meanings.items():
            yield f"  {choice}: {translate(meaning)}"
    else:
        rule = fields.rule(field)
        if rule != say("text"):
            yield say("Takes {rule}.", rule=rule).text()
    typical = fields.about(field, "typical")
    if typical:
        yield translate("Usual: {values}").format(values=translate(typical))


def _wrapped(line: str, indent: str) -> Iterator[str]:
    room = _WIDTH - len(indent)
    if _columns(line) <= room:
        yield indent + line
    elif _columns(line) == len(line):
        hang = " " * (len(line) - len(line.lstrip()) + 2) if line.startswith(" ") else ""
        yield from (indent + part for part in textwrap.wrap(line, room, subsequent_indent=hang))
    else:
        yield from (indent + part for part in _wide(line, room))


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _wide(line: str, room: int) -> Iterator[str]:
    """Break Chinese text anywhere but before punctuation, which needs no space to break at."""
    part, used = "", 0
    for character in line:
        width = _columns(character)
        if used + width > room and character not in _NEVER_FIRST and not (character.isascii() and character.isalnum()):
            yield part.rstrip()
            part, used = "", 0
        part += character
        used += width
    if part.strip():
        yield part
