"""Between a value of a preset and the text that is typed for it: ``--set``, the form and ``--plain`` go through here.

What a field takes decides what a text means: ``123`` is text where text is taken, ``1, 3`` a list where a list is,
``query=问题, positive=答案`` a mapping where names have text. Quotes keep commas, spaces and the word null as they are.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin

from tunewiz.presets.sections.section import Section
from tunewiz.presets.yaml.fields import choices, members
from tunewiz.presets.yaml.tree import REFUSED, parse, plain, write_scalar
from tunewiz.problems import BadPreset

_NULL: Final = ("null", "~")
_TRUTH: Final = {
    word: truth
    for truth, words in ((True, "true t yes y on 1 是"), (False, "false f no n off 0 否"))
    for word in words.split()
}
_QUOTED: Final = r'(?:"(?:[^"\\]|\\.)*"|\'(?:[^\']|\'\')*\')'
#: Text between commas, also full-width ones. Quotes count only around a whole name or value: ``it's`` holds none.
_PART: Final = re.compile(rf"(?:(?<![^\s,，=:：]){_QUOTED}(?=\s*(?:[,，=:：]|$))|[^,，])+", re.DOTALL)
#: What ends the name in a mapping, whichever comes first: ``query=问题`` or, as in YAML, ``query: 问题``.
#: Signs inside a name in quotes end nothing: ``": "=1``.
_NAMES: Final = tuple(
    re.compile(rf"(?P<name>\s*{_QUOTED}\s*|(?!\s*{_QUOTED}\s*[=:：]){rest}){sign}", re.DOTALL)
    for rest, sign in (("[^=]*?", "="), (".*?", r"(?:：|:(?=\s|$))"))
)


def read(text: str, takes: Any) -> Any:
    """What ``text`` means where ``takes``, the annotation of a field or of its items, is taken.

    Text that means nothing there comes back as it is, for the preset's own check to tell what is wrong with it.
    Characters that no preset can hold become question marks.
    """
    text = REFUSED.sub("?", text)
    shown, kinds = text.strip(), members(takes)
    if NoneType in kinds and shown in _NULL:
        return None
    if _is_text(takes):
        inner = _unquoted(shown)
        return text if inner is None else inner
    if _is_text_or_list(kinds):
        found = _yaml(shown) if shown.startswith("[") else None
        inner = _unquoted(shown)
        return found if isinstance(found, list) else text if inner is None else inner
    if bool in kinds and shown.lower() in _TRUTH:
        return _TRUTH[shown.lower()]
    for kind in kinds:
        if get_origin(kind) is dict:
            return _mapping(shown, get_args(kind)[1])
        if get_origin(kind) is list and not _is_word(shown, takes) and not _is_section(shown, kinds):
            return None if not shown and NoneType in kinds else _list(shown, get_args(kind)[0])
    return _yaml(shown)


def write(value: Any, takes: Any = Any) -> str:
    """``value`` as one line that :func:`read` reads back; "" for nothing."""
    if value is None:
        return ""
    if isinstance(value, (Mapping, list)):
        items = value.values() if isinstance(value, Mapping) else value
        if any(isinstance(item, (Mapping, list)) for item in items) or _is_text_or_list(members(takes)):
            return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return ", ".join(f"{_part(name)}={_part(item)}" for name, item in value.items())
    if isinstance(value, list):
        line = ", ".join(_part(item) for item in value)
        return line if line and not _is_word(line, takes) else f"[{line}]"
    if not isinstance(value, str):
        return write_scalar(value)
    null = value.strip() in _NULL and NoneType in members(takes)
    if null or not value or value != value.strip() or value.startswith(("'", '"')) or not value.isprintable():
        return _in_quotes(value)
    return value


def _is_text(takes: Any) -> bool:
    """Whether free text and nothing else is taken, but for null."""
    return set(members(takes)) - {NoneType} == {str}


def _is_text_or_list(kinds: list[Any]) -> bool:
    """Whether free text is taken, and a list too: only brackets make one, for commas are common in names of files."""
    return str in kinds and any(get_origin(kind) is list for kind in kinds)


def _is_word(text: str, takes: Any) -> bool:
    """Whether ``text`` is one of the words taken in place of a list (``all``)."""
    return any(get_origin(kind) is Literal and text in choices(kind) for kind in members(takes))


def _yaml(text: str, texts: bool = False) -> Any:
    """``text`` as YAML; itself where it is none, or holds what presets do not use. ``texts``: its scalars are text."""
    try:
        tree = parse(text, texts=texts)
    except BadPreset:
        return text
    return text if tree.problems else tree.value


def _list(text: str, takes: Any) -> Any:
    if text.startswith("["):
        return _yaml(text, _is_text(takes))
    return [_item(part, takes) for part in _PART.findall(text) if part.strip()]


def _is_section(text: str, kinds: Collection[Any]) -> bool:
    """Whether ``text`` is keys in braces, and a section is among what is taken."""
    return text.startswith("{") and any(inspect.isclass(kind) and issubclass(kind, Section) for kind in kinds)


def _mapping(text: str, takes: Any) -> Any:
    """``query=问题, positive=答案`` by name; the text itself if it is not that."""
    if text.startswith("{"):
        return _yaml(text, _is_text(takes))
    pairs = list(_pairs(text))
    names = [name for name, _ in pairs]
    if not all(names) or len(set(names)) < len(names):
        return text
    return {name: _item(value, takes) for name, value in pairs}


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Names with what is typed for them; what comes after a comma and has no name belongs to the value before it.

    One pair without a name says that ``text`` is no mapping.
    """
    parts = list(_PART.finditer(text))
    signs = [found for kind in _NAMES if parts and (found := kind.match(parts[0][0]))]
    if not signs:
        yield from [("", text)] * bool(text)
        return
    sign = min(signs, key=lambda found: found.end()).re
    starts = [part.start() for part in parts if sign.match(part[0])]
    for start, end in pairwise([*starts, len(text)]):
        if found := sign.match(text, start, end):
            name = found["name"].strip()
            yield _unquoted(name) or name, text[found.end() : end].strip().rstrip(",，")


def _item(text: str, takes: Any) -> Any:
    shown = text.strip()
    inner = _unquoted(shown)
    return inner if inner is not None else shown if _is_text(takes) else plain(shown)


def _unquoted(text: str) -> str | None:
    """What stands between the quotes around ``text``; ``None`` where it is not quoted as a whole."""
    inner = _yaml(text) if re.fullmatch(_QUOTED, text, re.DOTALL) else None
    return inner if isinstance(inner, str) and inner != text else None


def _part(item: Any) -> str:
    """An item of a list or mapping, in quotes where it would be read as something else."""
    if not isinstance(item, str):
        return write_scalar(item)
    return _in_quotes(item) if write_scalar(item) != item or set(item) & set(",，=[]{}:：#") else item


def _in_quotes(text: str) -> str:
    """``text`` in double quotes, invisible characters as YAML escapes."""
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"
