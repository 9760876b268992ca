"""One JSON object that holds all rows, not row by row but as some program or person put them together.

pandas writes a table in several orientations, ``datasets`` and many scripts write a list for each column, and people
write answers under their questions or objects under their ids. Nothing is lost by turning them: each is read as rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal

from tunewiz.data.reading.columns import is_known
from tunewiz.language import N_
from tunewiz.problems import Message, say

Shape = Literal["", "columns", "cells", "split", "objects", "entries"]
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
_SPLIT: Final = ("columns", "index", "data")


def shape_of(value: Values) -> Shape:
    """How the rows stand in the object of a whole document; "" where it is a row itself, or nothing that is known."""
    return next((name for name, fits in _FITS.items() if fits(value)), "")


def told(value: Values, shape: Shape) -> Message:
    """What the rows were put together from."""
    return say(_TOLD[shape], column=key_column(value)) if shape in ("objects", "entries") else say(_TOLD[shape])


def turned(value: Values, shape: Shape) -> Iterator[dict[str, Any]]:
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
        column = key_column(value)
        for key, row in value.items():
            yield {column: key, **row}
    else:
        for key, text in value.items():
            for one in text if isinstance(text, list) else [text]:
                yield {ENTRY: key, "value": one}


def key_column(value: Values) -> str:
    """What the keys are called as a column: ``id`` where they are some, of objects that have no other."""
    if any(not isinstance(row, dict) or "id" in row for row in value.values()):
        return ENTRY
    return ENTRY if any(any(sign.isspace() or sign > "\u2e80" for sign in key) for key in value) else "id"


def _by_columns(value: Values) -> bool:
    columns = list(value.values())
    if len(columns) < 2 or not all(isinstance(cells, list) for cells in columns):
        return False
    if any(isinstance(cell, dict) for cells in columns for cell in cells):  # turns or passages of one row
        return False
    return len({len(cells) for cells in columns}) == 1 and len(columns[0]) > 1


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
    """Whether objects that share a field stand under keys that are none themselves."""
    rows = list(value.values())
    if len(rows) < 2 or not all(isinstance(row, dict) and row for row in rows):
        return False
    return bool(set.intersection(*(set(row) for row in rows)))


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
