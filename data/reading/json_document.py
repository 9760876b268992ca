"""JSON documents: an array of rows, rows under a key of an object, or objects written back to back.

The file is decoded row by row, so memory holds one row, each row knows its line, and a damaged row can be passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from tunewiz.data.reading.columns import is_known
from tunewiz.data.reading.json_text import JsonText, NotJson
from tunewiz.data.reading.jsonl import bad_json, comment, fence, mended_warning, not_an_object, row_of
from tunewiz.data.reading.source import Row, Shape, Source
from tunewiz.data.reading.streams import chunks
from tunewiz.language import N_
from tunewiz.problems import BadData, Message, Report, error, note, say, warning

#: Lists of objects under these keys are parts of a row, not the rows.
_PARTS: Final = frozenset(
    (
        *(
            "messages",
            "conversations",
            "conversation",
            "dialog",
            "dialogue",
            "turns",
            "history",
            "tools",
            "images",
            "participants",
        ),
        *("paragraphs", "qas", "answers", "pos", "neg", "chosen", "rejected", "prompt"),
        *("completion", "positive_messages", "negative_messages", "rejected_messages", "choices", "functions"),
    )
)
_CUSTOMARY: Final = ("data", "rows", "examples", "records", "items", "train", "数据")


def records(source: Source, report: Report) -> Iterator[Row]:
    """Rows of a JSON document."""
    text = JsonText(chunks(source, report))
    if source.shape:
        yield from _turned(text, source, report)
        return
    if source.rows_under and not _enter(text, source.rows_under):
        message = say("The key {key} with the rows was not reached.", key=source.rows_under)
        report(error("bad-json", message, source.at(text.line)))
        return
    while text.peek() == "`":
        report(fence(source, text.line))
        text.skip_line()
    inside = text.peek() == "["
    if inside:
        text.take()
    yield from _Rows(text, source, report, inside)


def _turned(text: JsonText, source: Source, report: Report) -> Iterator[Row]:
    """Rows out of one object, which go by their number: none stands on a line of its own."""
    line = text.line
    try:
        value, lenient = text.value()
    except NotJson as failure:
        report(bad_json(source, line, text.around(failure), _short(failure)))
        return
    if lenient:
        report(mended_warning("raw-newline", source, line))
    if text.decoder.constants:
        report(mended_warning("nan-literal", source, line))
    for number, row in enumerate(turned(value, source.rows_under, source.shape), 1):
        yield Row(number, row)


def turned(value: dict[str, Any], under: str, shape: Shape) -> Iterator[dict[str, Any]]:
    """The rows of an object that holds them in a ``shape``, at the top or ``under`` a key."""
    return _rows_of(value[under] if under else value, shape)


class _Rows:
    """The rows from a position on; ``inside`` an array that must be closed."""

    def __init__(self, text: JsonText, source: Source, report: Report, inside: bool) -> None:
        self.text = text
        self.source = source
        self.report = report
        self.inside = inside
        self.lists = int(inside)
        self.first_key = ""
        self.kind: type | None = None

    def __iter__(self) -> Iterator[Row]:
        while mark := self.text.peek():
            if mark == "]" and self.inside:
                self.inside = False
                if self.source.rows_under:
                    return
                self.text.take()
            elif mark == ",":
                self.text.take()
            elif mark == "[" and not self.inside and self.lists:
                self._next_list()
            elif mark == "`":
                self.report(fence(self.source, self.text.line))
                self.text.skip_line()
            elif mark in "/#":
                self.report(comment(self.source, self.text.line))
                self.text.skip_line()
            else:
                line = self.text.line
                try:
                    value, lenient = self.text.value()
                except NotJson as failure:
                    self.report(bad_json(self.source, line, self.text.around(failure), _short(failure)))
                    if not self.text.resume(self.first_key):
                        return
                    continue
                yield from self._row(line, value, lenient)
        if self.inside:
            message = say("The file ends before the list of rows is closed.")
            self.report(error("cut-off", message, self.source.at(self.text.line), say("Copy or download it again.")))

    def _next_list(self) -> None:
        """Go into a list that stands behind another, as of two files put together."""
        self.lists += 1
        self.inside = True
        if self.lists == 2:
            message = say("Several lists stand one behind another; the rows of all are read.")
            self.report(warning("several-lists", message, self.source.at(self.text.line)))
        self.text.take()

    def _row(self, line: int, value: Any, lenient: bool) -> Iterator[Row]:
        row = row_of(value)
        self.kind = self.kind or type(value)
        if row is None or not isinstance(value, self.kind):
            self.report(not_an_object(self.source, line, value))
            return
        if lenient:
            self.report(mended_warning("raw-newline", self.source, line))
        if self.text.decoder.constants:
            self.report(mended_warning("nan-literal", self.source, line))
        if isinstance(value, dict):
            self.first_key = self.first_key or next(iter(value), "")
        yield Row(line, row)


def _short(failure: NotJson) -> NotJson:
    """The failure, placed in the excerpt that is shown instead of the whole text."""
    return NotJson(20, failure.cut)


def _enter(text: JsonText, key: str) -> bool:
    """Go into the list under ``key`` of the object that begins here; see :data:`_UNDER`."""
    *around, last = key.split(_UNDER)
    return all(_enter_object(text, name) for name in around) and any(found == last for found in _lists(text))


#: Between the keys of a list that lies in an object in the object.
_UNDER: Final = " > "


def _enter_object(text: JsonText, key: str) -> bool:
    """Go to the object under ``key`` of the object that begins here."""
    return any(found == key for found in _lists(text, "{"))


def _lists(text: JsonText, mark: str = "[") -> Iterator[str]:
    """Keys of an object whose value begins with ``mark`` (as a list); the text stands there when one is yielded."""
    if text.peek() != "{":
        return
    text.take()
    while text.peek() == '"':
        try:
            key, _ = text.value()
            if text.peek() != ":":
                return
            text.take()
            if text.peek() == mark:
                yield str(key)
            text.value()
        except NotJson:
            return
        if text.peek() == ",":
            text.take()


def find_rows(source: Source, report: Report) -> tuple[str, Shape]:
    """The key of a top-level object under which the rows are, "" when they stand at the top; how they stand there."""

    def quiet(_problem: object) -> None:
        """What is wrong with the text is told when it is read."""

    text = JsonText(chunks(source, quiet))
    if text.peek() != "{":
        return "", ""
    try:
        value, _ = text.value()
    except NotJson:  # longer than a row may be, or damaged: the first list that can hold rows
        again = JsonText(chunks(source, quiet))
        return next((key for key in _lists(again) if key not in _PARTS and _begins_with_object(again)), ""), ""
    if text.peek():
        return "", ""
    return laid_out(value, source, report)


def laid_out(value: dict[str, Any], source: Source, report: Report) -> tuple[str, Shape]:
    """As :func:`find_rows`, of what an object holds. Raises :class:`BadData` where columns are not equally long."""
    under = _rows_key(value, source, report)
    if under or collection_keys(value):
        return under, ""
    shape = _shape_of(value)
    held: Values = value
    if not shape and (under := _held_key(value, source, report)):
        held = value[under]
        shape = _shape_of(held)
    if shape:
        report(note("rows-turned", _told_of(held, shape), source.at()))
    elif uneven := next((item for item in (value, *value.values()) if _are_unequal(item)), None):
        lengths = ", ".join(f"{key} {len(cells)}" for key, cells in uneven.items())
        message = say("The file has a list for each column, and they are not equally long: {lengths}.", lengths=lengths)
        fix = say("Give each column as many cells, or write an object for each row.")
        raise BadData(error("unequal-columns", message, source.at(), fix))
    return under, shape


def _begins_with_object(text: JsonText) -> bool:
    return text.peek() == "[" and text.second() == "{"


def _held(value: dict[str, Any], key: str) -> list[Any]:
    """The list under a key, or under one in an object."""
    *around, last = key.split(_UNDER)
    for name in around:
        value = value[name]
    return list(value[last])


def _have_parts(items: list[Any]) -> bool:
    """Whether the objects of a list called like a part of a row hold such lists themselves: then they are the rows."""
    return all(isinstance(item, dict) and any(_is_rows(item.get(key)) for key in _TURNS) for item in items[:_FIRST])


_TURNS: Final = ("messages", "conversations", "conversation", "turns", "dialog", "dialogue")
_FIRST: Final = 3  # rows that tell what all are


def _rows_key(value: dict[str, Any], source: Source, report: Report) -> str:
    lists = [key for key, item in value.items() if _is_rows(item) and (key not in _PARTS or _have_parts(item))]
    lists = lists or [
        f"{key}{_UNDER}{inner}"
        for key, item in value.items()
        if isinstance(item, dict) and key not in _PARTS
        for inner, rows in item.items()
        if inner not in _PARTS and _is_rows(rows) and len(rows) > 1
    ]
    if lists:
        wanted = [*_CUSTOMARY, *(key for key in lists if key.split(_UNDER)[-1] in _CUSTOMARY)]
        best = next((key for key in wanted if key in lists), lists[0])
        report(note("rows-under-key", say("The rows are read from the key {key}.", key=best), source.at()))
        if len(lists) > 1:
            rest = ", ".join(key for key in lists if key != best)
            message = say("Other lists of the file are not read: {keys}.", keys=rest)
            fix = say("Save them as files of their own to use them.")
            first = {key: _held(value, key)[0] for key in lists}
            alike = any(set(first[key]) == set(first[best]) for key in lists if key != best)
            report((warning if alike else note)("other-lists", message, source.at(), fix))
        return best
    return ""


def collection_keys(value: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """The keys of queries, corpus and judgments (texts by id, documents by query) in an object that holds all three."""
    texts = [
        key
        for key, item in value.items()
        if isinstance(item, dict) and item and all(isinstance(text, str) for text in item.values())
    ]
    for key, item in value.items():
        if key in texts or not isinstance(item, dict) or not item:
            continue
        queries = next((name for name in texts if value[name].keys() >= item.keys()), "")
        judged = [document for found in item.values() if isinstance(found, (list, dict)) for document in found]
        named = set(judged) if all(isinstance(document, str) for document in judged) else set()
        corpus = next((name for name in texts if name != queries and named and value[name].keys() >= named), "")
        if queries and corpus:
            return queries, corpus, key
    return None


def _is_rows(item: object) -> bool:
    return isinstance(item, list) and bool(item) and all(isinstance(row, dict) for row in item)


# One JSON object that holds all rows, not row by row but as some program or person put them together: pandas in several
# orientations, a list for each column, answers under their questions, objects under their ids.


Values = Mapping[str, Any]

#: What the rows of each shape are put together from.
_TOLD: Final[Mapping[str, str]] = {
    "columns": N_("The file has a list for each column; the rows are put together from them."),
    "cells": N_("The file has numbered cells for each column, as pandas writes it; the rows are put together."),
    "split": N_("The file has the columns apart from the cells, as pandas writes it; the rows are put together."),
    "objects": N_("The file has an object under each key; each is read as a row, its key as the column {column}."),
    "entries": N_("The file is one object of texts; each text is read as a row, with its key in the column {column}."),
}
#: The column of keys that are texts: a name that says nothing of what they are, so that nothing is guessed from it.
ENTRY: Final = "entry"
_FEW: Final = 5  # of fewer keys one cannot tell a mapping of texts from one row
_HELD: Final = ("objects", "columns", "cells", "split")  # texts by key may be anything beside other data
_NUMBERED: Final = re.compile(r"(\D+?)[-_ ]?\d+")
_SPLIT: Final = ("columns", "index", "data")


def _shape_of(value: Values) -> Shape:
    """How the rows stand in the object of a whole document; "" where it is a row itself, or nothing that is known."""
    return next((name for name, fits in _FITS.items() if fits(value)), "")


def _told_of(value: Values, shape: Shape) -> Message:
    """What the rows were put together from."""
    return say(_TOLD[shape], column=_key_column(value)) if shape in ("objects", "entries") else say(_TOLD[shape])


def _rows_of(value: Values, shape: Shape) -> Iterator[dict[str, Any]]:
    """The rows of an object of this shape."""
    if shape == "columns":
        for cells in zip(*value.values(), strict=True):
            yield dict(zip(value, cells, strict=True))
    elif shape == "cells":
        for number in next(iter(value.values())):
            yield {column: cells[number] for column, cells in value.items()}
    elif shape == "split":
        for cells in value["data"]:
            yield dict(zip(map(str, value["columns"]), cells, strict=True))
    elif shape == "objects":
        column = _key_column(value)
        for key, row in value.items():
            yield {column: key, **row}
    else:
        for key, text in value.items():
            for one in text if isinstance(text, list) else [text]:
                yield {ENTRY: key, "value": one}


def _key_column(value: Values) -> str:
    """What the keys are called as a column: ``id`` where they are some, of objects that have no other."""
    if any(not isinstance(row, dict) or "id" in row for row in value.values()):
        return ENTRY
    if _are_numbered(value):
        return "id"
    return ENTRY if any(any(sign.isspace() or sign > "\u2e80" for sign in key) for key in value) else "id"


def _by_columns(value: Values) -> bool:
    columns = list(value.values())
    if len(columns) < 2 or not all(isinstance(cells, list) for cells in columns):
        return False
    if any(isinstance(cell, dict) for cells in columns for cell in cells):  # turns or passages of one row
        return False
    return len({len(cells) for cells in columns}) == 1 and len(columns[0]) > 1


def _are_unequal(value: object) -> bool:
    """Whether each key holds the cells of a column, of which some are missing: what belongs together is lost."""
    if not isinstance(value, dict):
        return False
    columns = list(value.values())
    if len(columns) < 2 or not all(isinstance(cells, list) and cells for cells in columns):
        return False
    plain = not any(isinstance(cell, (dict, list)) for cells in columns for cell in cells)
    return plain and len({len(cells) for cells in columns}) > 1


def _held_key(value: Values, source: Source, report: Report) -> str:
    """The key of an object that holds the rows, as :func:`_shape_of` knows them; "" where none does for certain."""
    shapes = {key: _shape_of(item) for key, item in value.items() if key not in _PARTS and isinstance(item, dict)}
    found = [key for key, shape in shapes.items() if shape in _HELD]
    beside = any(isinstance(item, list) and item for item in value.values())
    single = found[0] if len(found) == 1 and not beside else ""
    best = next((key for key in _CUSTOMARY if key in found), single)
    if best:
        report(note("rows-under-key", say("The rows are read from the key {key}.", key=best), source.at()))
    rest = ", ".join(key for key in found if key != best)
    if best and rest:
        message = say("Other lists of the file are not read: {keys}.", keys=rest)
        report(note("other-lists", message, source.at(), say("Save them as files of their own to use them.")))
    return best


def _by_cells(value: Values) -> bool:
    """Whether each key holds the cells of a column under the numbers of the rows, as pandas writes by default."""
    cells = list(value.values())
    if not cells or not all(isinstance(item, dict) and item and item.keys() == cells[0].keys() for item in cells):
        return False
    plain = not any(isinstance(cell, (dict, list)) for item in cells for cell in item.values())
    return plain and all(str(key).isdigit() for key in cells[0])


def _by_split(value: Values) -> bool:
    columns, rows = value.get("columns"), value.get("data")
    if not {"columns", "data"} <= value.keys() <= {*_SPLIT, "index_names", "column_names"}:
        return False
    if not isinstance(columns, list) or not columns or not isinstance(rows, list) or not rows:
        return False
    return all(isinstance(row, list) and len(row) == len(columns) for row in rows)


def _by_objects(value: Values) -> bool:
    """Whether objects that share a field stand under keys that are no names of columns, as those of one row are."""
    if not _are_numbered(value) and any(len(key) > 1 and is_known(key) for key in value):
        return False
    rows = list(value.values())
    if len(rows) < 2 or not all(isinstance(row, dict) and row for row in rows):
        return False
    if _by_objects(rows[0]):  # splits, with objects in each
        return False
    return bool(set.intersection(*(set(row) for row in rows)))


def _are_numbered(keys: Iterable[str]) -> bool:
    """Whether all are one letter, or in their many one name, and a number: ``q1``, ``q2``."""
    names = [_NUMBERED.fullmatch(key) for key in keys]
    stems = {found[1] for found in names if found is not None}
    return all(names) and len(stems) == 1 and (len(max(stems)) == 1 or len(names) >= _FEW)


def _by_entries(value: Values) -> bool:
    """Whether texts (or lists of them) stand under keys of which none is the name of a column."""
    kinds = {type(item) for item in value.values()}
    if len(value) < _FEW or len(kinds) > 1 or not kinds <= {str, list}:
        return False
    texts = all(isinstance(item, str) or all(isinstance(text, str) for text in item) for item in value.values())
    return texts and not any(is_known(key) for key in value)


_FITS: Final[Mapping[Shape, Callable[[Values], bool]]] = {
    "split": _by_split,
    "cells": _by_cells,
    "columns": _by_columns,
    "objects": _by_objects,
    "entries": _by_entries,
}
