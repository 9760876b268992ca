"""Two conversations, with the untouched and the tuned model, side by side; below each other where it is narrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from data.language import N_, translate
from data.printable import printable

SIDES: Final = {"before": N_("untouched"), "after": N_("tuned")}
_NARROW: Final = 64
_LONGEST: Final = 20_000  # characters of an answer that are shown


def look(exchanges: Sequence[Sequence[Mapping[str, Any]]], width: int) -> RenderableType:
    """All questions with both answers so far, the last one at the bottom."""
    table = Table(box=None, pad_edge=False, expand=True, show_header=False)
    sides = list(SIDES)
    for _ in sides if width >= _NARROW else sides[:1]:
        table.add_column(ratio=1, overflow="fold")
    for facts in exchanges:
        answers = [_side(facts, side) for side in sides]
        table.add_row(Text(f"> {_question(facts)}", style="bold"))
        for row in [answers] if width >= _NARROW else [[answer] for answer in answers]:
            table.add_row(*row)
        table.add_row("")
    return table


def _question(facts: Sequence[Mapping[str, Any]]) -> str:
    return printable(next((fact["query"] for fact in facts if "query" in fact), ""), 2000)


def _side(facts: Sequence[Mapping[str, Any]], side: str) -> Text:
    written = "".join(fact["text"] for fact in facts if fact.get("side") == side)
    shown = "\n".join(printable(line, _LONGEST) for line in written.strip().splitlines())
    return Text(f"{translate(SIDES[side])}\n", style="dim").append(shown, style="default")
