"""How the answers of a trial look: the best documents of a query, or two conversations, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from tunewiz.language import N_, translate
from tunewiz.printable import printable

# How the answers of a trial look, one task a file, found by file name.


#: From the questions asked so far, each with the facts that answer it, and the width in cells: what is to be seen.
Look = Callable[[Sequence[Sequence[Mapping[str, Any]]], int], RenderableType]


# The best documents of a query, before and after side by side; below each other where the terminal is narrow.


#: What can be seen of one query, in the order of the columns; only what an answer has is shown.
SEARCH_SIDES: Final = {
    "before": N_("untouched"),
    "after": N_("tuned"),
    "bm25": N_("shared words (BM25)"),
    "fusion": N_("tuned and BM25, fused"),
    "retrieved": N_("search alone"),
    "reranked_before": N_("reranked, untouched"),
    "reranked_after": N_("reranked, tuned"),
}
_NARROW_SEARCH: Final = 45  # cells that a side needs
_TEXT: Final = 160  # characters of a document


def search_answers(exchanges: Sequence[Sequence[Mapping[str, Any]]], width: int) -> RenderableType:
    """The answer to the last question; earlier ones make room."""
    answer = exchanges[-1][-1]
    sides = {name: answer[name] for name in SEARCH_SIDES if name in answer}
    beside = width >= _NARROW_SEARCH * len(sides)
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
    return f"{translate(SEARCH_SIDES[name])}{where}"


def hit(found: Mapping[str, Any], limit: int = _TEXT) -> Text:
    """A document: its rank, a mark if it is a known answer, its score, its text."""
    mark = "*" if found["known"] else " "
    told = Text(f"{found['rank']:>2}{mark} {found['score']:.3f}  ", style="bold green" if found["known"] else "")
    return told.append(printable(found["text"], limit), style="" if found["known"] else "dim")


# Two conversations, with the untouched and the tuned model, side by side; below each other where it is narrow.


CHAT_SIDES: Final = {"before": N_("untouched"), "after": N_("tuned")}
_NARROW_CHAT: Final = 64
_LONGEST: Final = 20_000  # characters of an answer that are shown


def chat_answers(exchanges: Sequence[Sequence[Mapping[str, Any]]], width: int) -> RenderableType:
    """All questions with both answers so far, the last one at the bottom."""
    table = Table(box=None, pad_edge=False, expand=True, show_header=False)
    sides = list(CHAT_SIDES)
    for _ in sides if width >= _NARROW_CHAT else sides[:1]:
        table.add_column(ratio=1, overflow="fold")
    for facts in exchanges:
        answers = [_side(facts, side) for side in sides]
        table.add_row(Text(f"> {_question(facts)}", style="bold"))
        for row in [answers] if width >= _NARROW_CHAT else [[answer] for answer in answers]:
            table.add_row(*row)
        table.add_row("")
    return table


def _question(facts: Sequence[Mapping[str, Any]]) -> str:
    return printable(next((fact["query"] for fact in facts if "query" in fact), ""), 2000)


def _side(facts: Sequence[Mapping[str, Any]], side: str) -> Text:
    written = "".join(fact["text"] for fact in facts if fact.get("side") == side)
    shown = "\n".join(printable(line, _LONGEST) for line in written.strip().splitlines())
    return Text(f"{translate(CHAT_SIDES[side])}\n", style="dim").append(shown, style="default")


# What is loaded before the models of a run can be asked, in words.


LOADING: Final[Mapping[str, str]] = {
    "before": N_("Loading the untouched model ..."),
    "after": N_("Loading the tuned model ..."),
    "retrieved": N_("Loading the model of the search ..."),
}


def looks_by_task() -> Mapping[str, Look]:
    """What draws the answers, by task."""
    searches = ("embedding", "reranker", "pipeline", "comparison")
    return {**dict.fromkeys(searches, search_answers), "llm": chat_answers}
