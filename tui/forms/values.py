"""Between what is typed into a line and the plain data of a preset."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, get_args, get_origin

from pydantic.fields import FieldInfo

from data.problems import BadPreset
from presets import fields
from presets.scalars import written
from presets.tree import parse

_NULL: Final = ("null", "~")


def read(text: str, info: FieldInfo) -> Any:
    """What ``text`` means for the field: as ``--set KEY=TEXT`` reads it, and ``a=b, c=d`` where names are mapped.

    Text that means nothing there comes back as it is, for the preset's own check to tell what is wrong with it.
    """
    text = _encodable(text)
    shown = text.strip()
    if fields.is_text(info) and not shown.startswith(("'", '"')):
        return None if fields.takes_null(info) and shown in _NULL else text
    if takes_mapping(info) and not shown.startswith("{"):
        return _pairs(shown)
    if fields.takes_list(info) and not shown.startswith("["):
        shown = shown if shown in fields.choices(info.annotation) and fields.takes_word(info) else f"[{shown}]"
    try:
        return parse(shown).value
    except BadPreset:
        return text


def line(value: Any) -> str:
    """``value`` as one line that :func:`read` reads back; "" for nothing."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(f"{_item(key)}={_item(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(_item(item) for item in value) or "[]"
    if not isinstance(value, str):
        return written(value)
    if not value or value != value.strip() or value.startswith(("'", '"')) or not value.isprintable():
        return json.dumps(value, ensure_ascii=not value.isprintable())
    return value


def takes_mapping(info: FieldInfo) -> bool:
    """Whether the field takes names with text."""
    return any(get_origin(kind) is dict for kind in (info.annotation, *get_args(info.annotation)))


def _encodable(text: str) -> str:
    """``text`` without halves of UTF-16 pairs, which some terminals paste and no file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _item(item: Any) -> str:
    text = item if isinstance(item, str) else written(item)
    special = isinstance(item, str) and (written(item) != item or set(item) & set(",=[]{}:#"))
    return json.dumps(text, ensure_ascii=not text.isprintable()) if special else text


def _pairs(text: str) -> Any:
    """``query=问题, positive=答案`` as a mapping; the text itself if it is not that."""
    pairs: dict[str, str] = {}
    for part in _parts(text):
        name, sign, value = part.partition("=")
        if not sign or not name.strip():
            return text
        pairs[_unquoted(name)] = _unquoted(value)
    return pairs


def _parts(text: str) -> list[str]:
    """``text`` at its commas, but not at those in double quotes."""
    parts, quoted = [""], False
    for character in text:
        quoted ^= character == '"'
        if character == "," and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return [part for part in parts if part.strip()]


def _unquoted(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        try:
            return str(json.loads(text))
        except ValueError:
            return text
    return text
