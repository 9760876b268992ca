"""Texts inside objects: what a column of objects offers to be mapped, as expressions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from tunewiz.data.reading.cells import Table, is_empty
from tunewiz.data.reading.columns import normalise_name
from tunewiz.data.reading.expressions import is_true, nested

#: Keys of an object's text, best first; then the key of the longest texts.
_TEXTS: Final = (
    "text",
    "paragraphtext",
    "passagetext",
    "passage",
    "content",
    "contents",
    "body",
    "document",
    "paragraph",
)
_TITLES: Final = ("title", "标题")
_CHOSEN: Final = ("isselected", "selected", "ispositive", "isrelevant", "isgold", "issupporting", "relevant")
_LOOKED: Final = 50  # rows: what an object holds is alike in all
_SPANS: Final = ("answerstart", "start")


def unfolded(table: Table) -> tuple[str, ...]:
    """An expression for the texts of each column of objects; two where the objects say which of them are right."""
    found: list[str] = []
    for column in table.columns:
        objects, shape = _objects(table, column)
        if objects:
            found += _expressions(column, shape, objects)
    return tuple(found)


def with_leaves(table: Table) -> Table:
    """The table with the texts of objects, one a row, in place of the objects: what a mapping can be advised of."""
    columns: list[str] = []
    for column in table.columns:
        objects, shape = _objects(table, column)
        columns += (_expressions(column, shape, objects) if objects and not shape else []) or [column]
    return replace(table, columns=tuple(columns))


def with_titles(expressions: Sequence[str], table: Table) -> dict[str, str]:
    """Each expression with the title beside its text in front, if all have one and none is always the same."""
    found = {}
    for expression in expressions:
        head, dot, key = expression.rpartition(".")
        keys = {key for item in _items(table, head.split("[")[0]) if isinstance(item, dict) for key in item}
        title = next((name for name in keys if normalise_name(name) in _TITLES and name != key), "")
        joined = f"{head}.{title} + {expression}" if dot and title else ""
        if joined and _varied(table, f"{head}.{title}"):
            found[expression] = joined
    return found


def _varied(table: Table, expression: str) -> bool:
    texts = [
        str(text) for value in table.values(expression) for text in (value if isinstance(value, list) else [value])
    ]
    filled = [text for text in texts if text.strip()]
    return len(filled) > 0.5 * len(texts) and len(set(filled)) > 1


def _items(table: Table, column: str) -> list[Any]:
    found: list[Any] = []
    for value in table.values(column)[:_LOOKED]:
        held = nested(value)
        found += held if isinstance(held, list) else [held]
    return found


def _objects(table: Table, column: str) -> tuple[list[dict[str, Any]], str]:
    """The objects of a column, and what leads to them: "" for one a row, "[]" for a list, "[][]" for lists of lists."""
    values = [nested(value) for value in table.values(column)[:_LOOKED]]
    for shape in ("", "[]", "[][]"):
        if values and all(isinstance(value, dict) for value in values):
            return values, shape
        if not values or not all(isinstance(value, list) for value in values):
            return [], ""
        values = [item for value in values for item in value]
    return [], ""


def _expressions(column: str, shape: str, objects: list[dict[str, Any]]) -> list[str]:
    keys = {key: normalise_name(str(key)) for item in objects for key in item if isinstance(key, str)}
    if any(plain in _SPANS for plain in keys.values()):  # an answer cut out of a context
        return []
    known, others = _text_keys(objects, keys)
    if shape == "" and not known and len(others) > 1:  # texts side by side, as languages of a translation
        whole = [key for key in keys if key in others and not any(isinstance(item.get(key), list) for item in objects)]
        return [f"{column}.{key}" for key in whole]
    text = next(iter((*known, *others)), "")
    if not text:
        return []
    inner = f"{text}[]" if any(isinstance(item.get(text), list) for item in objects) else text
    chosen = next((key for key, plain in keys.items() if plain in _CHOSEN), "")
    if shape == "[]" and chosen and {is_true(item.get(chosen)) for item in objects} == {True, False}:
        return [f"{column}[{mark}{chosen}].{inner}" for mark in ("", "!")]
    return [f"{column}{shape}.{inner}"]


def _text_keys(objects: list[dict[str, Any]], keys: dict[str, str]) -> tuple[list[str], list[str]]:
    """Keys of texts: those known by their names, best first; others whose texts differ, those of the longest first."""
    lengths: dict[str, list[int]] = {}
    values: dict[str, set[str]] = {}
    for item in objects:
        for key in keys:
            value = item.get(key)
            texts = value if isinstance(value, list) else [value]
            if not is_empty(value) and all(isinstance(text, str) for text in texts):
                lengths.setdefault(key, []).append(sum(map(len, texts)))
                values.setdefault(key, set()).add(str(value))
    known = [key for name in _TEXTS for key, plain in keys.items() if plain == name and key in lengths]
    varied = [
        key for key in lengths if len(values[key]) > 1 and keys[key] not in _TITLES and not keys[key].endswith("id")
    ]
    return known, sorted(varied, key=lambda key: -sum(lengths[key]) / len(lengths[key]))
