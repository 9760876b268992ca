"""Between what is typed into a line and the plain data of a preset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args, get_origin

from pydantic.fields import FieldInfo

from tunewiz.presets.yaml import fields
from tunewiz.presets.yaml.tree import parse, write_scalar
from tunewiz.problems import BadPreset

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
        tree = parse(shown)
    except BadPreset:
        return text
    return text if tree.problems else tree.value


def line(value: Any) -> str:
    """``value`` as one line that :func:`read` reads back; "" for nothing."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(f"{_item(key)}={_item(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(_item(item) for item in value) or "[]"
    if not isinstance(value, str):
        return write_scalar(value)
    if not value or value != value.strip() or value.startswith(("'", '"')) or not value.isprintable():
        return _quoted(value)
    return value


def takes_mapping(info: FieldInfo) -> bool:
    """Whether the field takes names with text."""
    return any(get_origin(kind) is dict for kind in (info.annotation, *get_args(info.annotation)))


def _encodable(text: str) -> str:
    """``text`` without halves of UTF-16 pairs, which some terminals paste and no file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _item(item: Any) -> str:
    text = item if isinstance(item, str) else write_scalar(item)
    special = isinstance(item, str) and (write_scalar(item) != item or set(item) & set(",=[]{}:#"))
    return _quoted(text) if special else text


def _quoted(text: str) -> str:
    """``text`` in double quotes, invisible characters as YAML escapes."""
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"


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
            return str(parse(text).value)
        except BadPreset:
            return text
    return text
