"""The best documents of a query, before and after side by side; below each other where the terminal is narrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from data.language import N_, translate
from data.printable import printable

#: What can be seen of one query, in the order of the columns; only what an answer has is shown.
SIDES: Final = {
    "before": N_("untouched"),
    "after": N_("tuned"),
    "retrieved": N_("search alone"),
    "reranked_before": N_("reranked, untouched"),
    "reranked_after": N_("reranked, tuned"),
}
_NARROW: Final = 45  # cells that a side needs
_TEXT: Final = 160  # characters of a document


def look(exchanges: Sequence[Sequence[Mapping[str, Any]]], width: int) -> RenderableType:
    """The answer to the last question; earlier ones make room."""
    answer = exchanges[-1][-1]
    sides = {name: answer[name] for name in SIDES if name in answer}
    beside = width >= _NARROW * len(sides)
    table = Table(box=None, pad_edge=False, expand=True, title_justify="left", show_header=beside)
    table.title = Text(printable(answer["query"], 400), style="bold")
    (_beside if beside else _below)(table, sides)
    return table


def _beside(table: Table, sides: Mapping[str, Any]) -> None:
    for name, side in sides.items():
        table.add_column(Text(heading(name, side)), ratio=1)
    count = max((len(side["hits"]) for side in sides.values()), default=0)
    for place in range(count):
        table.add_row(*(hit(side["hits"][place]) if place < len(side["hits"]) else "" for side in sides.values()))


def _below(table: Table, sides: Mapping[str, Any]) -> None:
    table.add_column()
    for name, side in sides.items():
        table.add_row(Text(heading(name, side), style="bold"))
        for found in side["hits"]:
            table.add_row(hit(found))


def heading(name: str, side: Mapping[str, Any]) -> str:
    """What a side is, and at which rank the known answer is."""
    rank = side.get("known_rank")
    where = " · " + translate("known answer at rank {rank}").format(rank=rank) if rank else ""
    return f"{translate(SIDES[name])}{where}"


def hit(found: Mapping[str, Any], limit: int = _TEXT) -> Text:
    """A document: its rank, a mark if it is a known answer, its score, its text."""
    mark = "*" if found["known"] else " "
    told = Text(f"{found['rank']:>2}{mark} {found['score']:.3f}  ", style="bold green" if found["known"] else "")
    return told.append(printable(found["text"], limit), style="" if found["known"] else "dim")
