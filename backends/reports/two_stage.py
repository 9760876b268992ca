"""What a report says of a search in two stages: every system side by side, what reranking is worth, what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from backends.evaluators.metrics import canonical
from backends.reports.blocks import Block, Heading, Paragraph, Table
from backends.reports.facts import Facts
from backends.verdict import Comparison, compare
from data.language import N_, translate
from data.problems import Message, say

SYSTEMS: Final[Mapping[str, str]] = {
    "untuned": N_("search before tuning"),
    "search": N_("search alone"),
    "before": N_("+ reranker before training"),
    "after": N_("+ tuned reranker"),
}


def reranking(facts: Facts) -> Comparison | None:
    """The tuned reranker against search alone on the primary metric."""
    alone, tuned = facts.systems.get("search"), facts.systems.get("after")
    if not alone or not tuned:
        return None
    seed, samples = facts.preset.training.seed, facts.preset.evaluation.bootstrap
    return compare(alone["per_query"], tuned["per_query"], facts.primary, samples, seed)


def told(record: Mapping[str, Any]) -> dict[str, Any]:
    """A system's numbers for programs, without those of single queries."""
    return {name: value for name, value in record.items() if name != "per_query"}


def worse(facts: Facts) -> bool:
    """Whether search is better without the tuned reranker."""
    compared = reranking(facts)
    return compared is not None and compared.verdict == "REGRESSION"


def blocks(facts: Facts) -> Iterator[Block]:
    """Nothing without a first stage."""
    alone = facts.systems.get("search")
    if not alone:
        return
    yield Heading(translate(N_("Search in two stages")))
    compared = reranking(facts)
    if compared:
        yield Paragraph(say("Reranking against search alone: {told}", told=compared.sentence()).text())
    if worse(facts):
        yield Paragraph(_warning().text(), strong=True)
    yield _table(facts)
    share = facts.systems.get("after", {}).get("search_share", 0.0)
    if share:
        yield Paragraph(_blended(share).text())
    yield Paragraph(_ceiling(alone).text())


def _blended(share: float) -> Message:
    """That the final order is not the reranker's alone."""
    return say(
        "In the final order the search's own scores count {search} % and the reranker's {rest} %, both standardised "
        "over the candidates of a query.",
        search=round(100 * share),
        rest=round(100 * (1 - share)),
    )


def _warning() -> Message:
    return say(
        "This reranker makes the search worse: use the search without it, or let the search's own scores count too "
        "(candidates.search_share). Usual causes: right documents among the mined negatives, a training length that "
        "cuts the answer off, or too few training queries."
    )


def _table(facts: Facts) -> Table:
    names = [canonical(name) for name in facts.systems["search"]["metrics"]]
    shown = [facts.primary, *(name for name in names if name != facts.primary)]
    titles = [translate(N_("system")), *shown, translate(N_("ms a query"))]
    rows = []
    for name, record in facts.systems.items():
        values = [f"{record['metrics'][metric]:.4f}" if metric in record["metrics"] else "" for metric in shown]
        rows.append([translate(SYSTEMS[name]), *values, _milliseconds(facts, name)])
    return Table(titles, rows, frozenset(range(1, len(titles))), len(rows) - 1)


def _milliseconds(facts: Facts, name: str) -> str:
    """What one query takes, both stages together."""
    if name == "untuned":
        return ""
    parts = [facts.systems[stage].get("milliseconds", {}).get("median", 0.0) for stage in {"search", name}]
    return f"{sum(parts):.1f}"


def _ceiling(alone: Mapping[str, Any]) -> Message:
    return say(
        "The first {depth} results of the search hold {percent} % of the right documents, which bounds every reranker "
        "over them; for {count} of {queries} queries they hold none. One query at a time, the median of "
        "10 queries is shown.",
        depth=alone["depth"],
        percent=round(100 * alone["ceiling"], 1),
        count=alone["out_of_reach"],
        queries=alone["queries"],
    )
