"""What a mapping names beside plain columns: texts inside objects, and several texts put together.

``positive_ctxs[].text`` is the text of each object in a list, ``documents[is_selected].paragraphs[]`` the paragraphs of
those objects whose ``is_selected`` is true (``[!is_selected]``: of the others), ``ctx[score>=2].text`` the texts of
those with such a score, ``ctx[score=max].text`` of the one with the highest, ``ctx[label=good].text`` of those so
called, ``passages[0]`` the first of a list,
``title + content`` both in one text. A list inside a list is the parts of one text. A column that has such a name
itself goes first.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from tunewiz.data.reading.scales import label_word, word_worth

#: ast.literal_eval needs 200 to 500 bytes a character; a long conversation in one cell has room.
_NESTED_LIMIT: Final = 1 << 22
_JOIN: Final = re.compile(r"\s*\+\s*")
_COMPARISON: Final = re.compile(r"(.+?)(>=|<=|=|>|<)(.+)")
_EXTREME: Final = re.compile(r"(.+?)=(max|min)")
#: Between steps; one in brackets is of a number.
_DOT: Final = re.compile(r"\.(?![^\[\]]*\])")
_STEP: Final = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")

#: Signs for which a shell would take a name apart.
_ODD: Final = re.compile(r"[\s\[\]()&;|<>*?$!']")

Step = tuple[str, tuple[str, ...]]


@lru_cache(maxsize=4096)
def _parts(expression: str) -> tuple[tuple[Step, ...], ...]:
    """For each text that is put together: the steps to it, a key and what stands in brackets behind it."""
    return tuple(tuple(_step(step) for step in _DOT.split(part)) for part in _JOIN.split(expression) if part)


def _step(text: str) -> Step:
    found = _STEP.fullmatch(text)
    if found is None:
        return text, ()
    return found.group(1).strip(), tuple(mark.strip() for mark in re.findall(r"\[([^\[\]]*)\]", found.group(2)))


def columns_in(expression: str) -> tuple[str, ...]:
    """The columns that an expression begins at."""
    return tuple(steps[0][0] for steps in _parts(expression) if steps)


def is_expression(name: str, columns: Iterable[str]) -> bool:
    """Whether ``name`` is no column itself and begins at columns that are there."""
    known = set(columns)
    return name not in known and bool(_parts(name)) and all(head in known for head in columns_in(name))


def value_at(values: Mapping[str, Any], expression: str) -> Any:
    """What a row holds at ``expression``: a value, or a list of texts; None where there is nothing.

    >>> value_at({"ctxs": [{"title": "a", "text": "b"}, {"title": "c", "text": "d"}]}, "ctxs[].title + ctxs[].text")
    ['a b', 'c d']
    """
    if expression in values:
        return values[expression]
    if not any(mark in expression for mark in ".[+"):
        return None
    found = [_flat(_follow(values, steps)) for steps in _parts(expression)]
    return found[0] if len(found) == 1 else _joined(found)


def _follow(values: Any, steps: tuple[Step, ...]) -> Any:
    """The value behind ``steps``; lists on the way make lists."""
    if not steps:
        return values
    held = nested(values)
    if isinstance(held, list):
        return [_follow(item, steps) for item in held]
    if not isinstance(held, dict):
        return None
    (key, marks), *rest = steps
    value = nested(held.get(key)) if marks or rest else held.get(key)
    for mark in marks:
        value = _chosen(value, mark, held)
    return _follow(value, tuple(rest)) if rest else value


def passages_text(value: Any) -> str | None:
    r"""The passages of a list of objects one below the other, each with its title; None where ``value`` is none such.

    >>> passages_text([{"title": "Figs", "text": "They are sweet.", "is_supporting": True}, {"text": "So are plums."}])
    'Figs\nThey are sweet.\n\nSo are plums.'
    """
    held = nested(value)
    if not isinstance(held, list) or not held or not all(isinstance(item, dict) for item in held):
        return None
    found = [_passage(item) for item in held]
    return "\n\n".join(text for text in found if text) if all(text is not None for text in found) else None


#: Keys of a passage's text, and of texts that stand beside it and are no part of it.
_PASSAGES: Final = (
    "text",
    "passage_text",
    "paragraph_text",
    "passage",
    "paragraph",
    "content",
    "contents",
    "body",
    "paragraphs",
)
_HEADS: Final = ("title", "标题")
_BESIDE: Final = 64  # characters of an id, a label, a name


def _passage(item: Mapping[str, Any]) -> str | None:
    key = next((name for name in _PASSAGES if isinstance(item.get(name), (str, list))), "")
    rest = [held for name, held in item.items() if name not in (key, *_HEADS)]
    texts = item[key] if key and isinstance(item[key], list) else [item.get(key)]
    plain = all(isinstance(text, str) for text in texts)
    if (
        not plain
        or "role" in item
        or any(isinstance(held, str) and len(held) > _BESIDE and "://" not in held for held in rest)
    ):
        return None
    title = next((held for name in _HEADS if isinstance(held := item.get(name), str)), "")
    return "\n".join(text for text in (title, *texts) if text.strip())


def _chosen(value: Any, mark: str, beside: Mapping[str, Any]) -> Any:
    """The part of a list that a mark in brackets names; ``beside`` is the object that holds the list."""
    if not isinstance(value, list):
        return value
    if not mark:
        return value
    if mark.isdecimal():
        return value[int(mark)] if int(mark) < len(value) else None
    name, wanted = mark.removeprefix("!"), not mark.startswith("!")
    if all(isinstance(item, dict) for item in value):
        best = _best(value, name)
        if best is not None:
            return value[best] if wanted else [*value[:best], *value[best + 1 :]]
        return [item for item in value if _fits(item, name) == wanted]
    index = beside.get(name)
    return value[index] if isinstance(index, int) and 0 <= index < len(value) else None


def _best(items: list[dict[str, Any]], mark: str) -> int | None:
    """The place of the object with the highest (or lowest) number; None where that is not what ``mark`` asks for."""
    found = _EXTREME.fullmatch(mark)
    numbers = [(_number(item.get(found[1].strip())), place) for place, item in enumerate(items)] if found else []
    told = [(number, place) for number, place in numbers if number is not None]
    if found is None or not told:
        return None
    highest = (max if found[2] == "max" else min)(number for number, _ in told)
    return next(place for number, place in told if number == highest)


def _number(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None


def _fits(item: Mapping[str, Any], mark: str) -> bool:
    """Whether an object has what a mark names: a yes, or a value that compares so."""
    found = None if mark in item else _COMPARISON.fullmatch(mark)
    if found is None:
        return is_true(item.get(mark))
    value, sign, wanted = item.get(found[1].strip()), found[2], found[3].strip()
    if sign == "=":
        return value is not None and label_word(value) == label_word(wanted)
    left, right = _number(value), _number(wanted)
    if left is None or right is None:
        return False
    return (
        left >= right
        if sign == ">="
        else left <= right
        if sign == "<="
        else left > right
        if sign == ">"
        else left < right
    )


def is_true(value: object) -> bool:
    """Whether a mark on an object says yes: true, 1, "1", "true", "positive", 相关."""
    return label_word(value) == "1" or word_worth(str(value)) == 1


def is_false(value: object) -> bool:
    """Whether a mark on an object says no: false, 0, "no", "negative", 不相关."""
    return label_word(value) == "0" or word_worth(str(value)) == 0


def parse_nested(value: Any) -> Any:
    """The list or object that a value is, also in a text as JSON or as a Python literal; else ``value`` unchanged."""
    if not isinstance(value, str):
        return list(value) if isinstance(value, tuple) else value
    text = value.strip()
    if not text or text[0] + text[-1] not in ("[]", "{}") or len(text) > _NESTED_LIMIT:
        return value
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        try:
            found = ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return value
    return found if isinstance(found, (list, dict)) else value


def nested(value: Any) -> Any:
    """As :func:`parse_nested`; an object of lists of one length, as parquet files have it, is a list of objects."""
    found = parse_nested(value)
    if isinstance(found, dict) and len(found) > 1 and all(isinstance(item, (list, tuple)) for item in found.values()):
        lengths = {len(item) for item in found.values()}
        if len(lengths) == 1 and lengths != {0}:
            return [dict(zip(found, items, strict=True)) for items in zip(*found.values(), strict=True)]
    return found


def map_options(mapping: Mapping[str, str]) -> str:
    """A mapping as it is typed: names that a shell would take apart are in quotes."""
    return " ".join(
        f'--map {role}="{name}"' if _ODD.search(name) else f"--map {role}={name}" for role, name in mapping.items()
    )


def _flat(value: Any) -> Any:
    """A value, or a list of values: what lies deeper in lists is put together line by line."""
    if not isinstance(value, (list, tuple)):
        return value
    return [_lines(item) if isinstance(item, (list, tuple)) else item for item in value if item is not None]


def _lines(items: Iterable[Any]) -> str:
    found = [_lines(item) if isinstance(item, (list, tuple)) else item for item in items]
    return "\n".join(str(item) for item in found if item is not None and str(item).strip())


def _joined(parts: list[Any]) -> Any:
    """Texts put together with a space, as BEIR's dense models read a title and a text; lists item by item."""
    if not any(isinstance(part, list) for part in parts):
        return " ".join(text for part in parts if part is not None and (text := str(part).strip()))
    length = max(len(part) for part in parts if isinstance(part, list))
    rows = [part if isinstance(part, list) else [part] * length for part in parts]
    padded = [[*row, *[None] * (length - len(row))] for row in rows]
    return [_joined(list(items)) for items in zip(*padded, strict=True)]
