"""What a report says of a model that searches in several ways: the dense vectors and those beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from backends.reports.blocks import Block, Heading, Paragraph, Table
from backends.reports.facts import Facts
from data.files import read_json
from data.language import N_, translate
from data.problems import say

NAMES: Final[Mapping[str, str]] = {
    "dense": N_("dense vectors"),
    "sparse": N_("word weights (sparse)"),
    "multi_vector": N_("token vectors (multi-vector)"),
    "all": N_("all three together"),
}


def file_of(way: str, when: str) -> str:
    """The stem of the files of ``way``, measured ``when`` (before, after), in a run's report."""
    return f"{way}.{when}"


def blocks(facts: Facts) -> Iterator[Block]:
    """A table with a row a way; nothing where there is only one."""
    found = {way: _metrics(facts, way) for way in NAMES}
    if not any(found[way]["after"] for way in NAMES if way != "dense"):
        return
    yield Heading(translate(N_("Ways to search")))
    columns = [translate(N_("way")), *(translate(text) for text in (N_("before"), N_("after"), N_("difference")))]
    rows = [[translate(NAMES[way]), *_cells(sides, facts.primary)] for way, sides in found.items()]
    yield Table([f"{columns[0]} ({facts.primary})", *columns[1:]], rows, frozenset({1, 2, 3}))
    told = say(
        "The verdict is on the dense vectors. Token vectors, and all three together, put the first 100 documents of "
        "the dense and of the sparse search in order."
    )
    yield Paragraph(told.text())


def _metrics(facts: Facts, way: str) -> dict[str, Mapping[str, Any]]:
    sides = {"before": facts.before, "after": facts.after}
    if way != "dense":
        sides = {when: read_json(facts.run.report / f"{file_of(way, when)}.json") for when in sides}
    return {when: record["metrics"] if isinstance(record, Mapping) else {} for when, record in sides.items()}


def _cells(sides: Mapping[str, Mapping[str, Any]], metric: str) -> list[str]:
    before, after = (sides[when].get(metric) for when in ("before", "after"))
    cells = ["–" if value is None else f"{value:.4f}" for value in (before, after)]
    return [*cells, "–" if before is None or after is None else f"{after - before:+.4f}"]
