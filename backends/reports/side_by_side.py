"""What a report puts side by side: systems, ways to search, variants.

The systems of a search in two stages, the ways in which one model searches, the runs of a comparison.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.evaluate.metrics import canonical
from tunewiz.backends.evaluate.verdict import Comparison, compare
from tunewiz.backends.reports.blocks import Block, Bullets, Heading, Paragraph, Table, write_pages
from tunewiz.backends.reports.facts import Facts
from tunewiz.backends.runs.run import Run
from tunewiz.files import read_json
from tunewiz.language import N_, translate
from tunewiz.presets.tasks.comparison import ComparisonPreset
from tunewiz.problems import Message, say

# What a report says of a search in two stages: every system side by side, what reranking is worth, what it costs.


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


def numbers_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """A system's numbers for programs, without those of single queries."""
    return {name: value for name, value in record.items() if name != "per_query"}


def worse(facts: Facts) -> bool:
    """Whether search is better without the tuned reranker."""
    compared = reranking(facts)
    return compared is not None and compared.verdict == "REGRESSION"


def two_stage_blocks(facts: Facts) -> Iterator[Block]:
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


# What a report says of a model that searches in several ways: the dense vectors and those beside them.


WAYS: Final[Mapping[str, str]] = {
    "dense": N_("dense vectors"),
    "sparse": N_("word weights (sparse)"),
    "multi_vector": N_("token vectors (multi-vector)"),
    "all": N_("all three together"),
}


def file_of_way(way: str, when: str) -> str:
    """The stem of the files of ``way``, measured ``when`` (before, after), in a run's report."""
    return f"{way}.{when}"


def way_blocks(facts: Facts) -> Iterator[Block]:
    """A table with a row a way; nothing where there is only one."""
    found = {way: _metrics(facts, way) for way in WAYS}
    if not any(found[way]["after"] for way in WAYS if way != "dense"):
        return
    yield Heading(translate(N_("Ways to search")))
    columns = [translate(N_("way")), *(translate(text) for text in (N_("before"), N_("after"), N_("difference")))]
    rows = [[translate(WAYS[way]), *_cells(sides, facts.primary)] for way, sides in found.items()]
    yield Table([f"{columns[0]} ({facts.primary})", *columns[1:]], rows, frozenset({1, 2, 3}))
    message = say(
        "The verdict is on the dense vectors. Token vectors, and all three together, put the first 100 documents of "
        "the dense and of the sparse search in order."
    )
    yield Paragraph(message.text())


def _metrics(facts: Facts, way: str) -> dict[str, Mapping[str, Any]]:
    sides = {"before": facts.before, "after": facts.after}
    if way != "dense":
        sides = {when: read_json(facts.run.report / f"{file_of_way(way, when)}.json") for when in sides}
    return {when: record["metrics"] if isinstance(record, Mapping) else {} for when, record in sides.items()}


def _cells(sides: Mapping[str, Mapping[str, Any]], metric: str) -> list[str]:
    before, after = (sides[when].get(metric) for when in ("before", "after"))
    cells = ["–" if value is None else f"{value:.4f}" for value in (before, after)]
    return [*cells, "–" if before is None or after is None else f"{after - before:+.4f}"]


# One page over the variants of a comparison: every measure side by side, and how sure the differences are.


def write_comparison(run: Run, preset: ComparisonPreset, folders: Mapping[str, Path], best: str) -> None:
    """Write ``report.md``, ``report.html`` and ``metrics.json``; ``folders`` are the variants' reports by strategy."""
    run.report.mkdir(parents=True, exist_ok=True)
    told = {name: read_json(folder / "metrics.json") or {} for name, folder in folders.items()}
    after = {name: read_json(folder / "after.json") or {} for name, folder in folders.items()}
    blocks = list(_variant_blocks(preset, told, after, best))
    record = {"version": 1, "run": run.name, "primary": canonical(preset.evaluation.metric), "best": best}
    write_pages(run.report, blocks, record | {"variants": told, "verdict": told[best].get("verdict", "NONE")})


def _variant_blocks(
    preset: ComparisonPreset, told: Mapping[str, Any], after: Mapping[str, Any], best: str
) -> Iterator[Block]:
    yield Heading(preset.name, 1)
    measured = {name: record["metrics"] for name, record in after.items() if record}
    if not measured:
        yield Paragraph(translate(N_("No query was held out, so nothing was measured.")))
        return
    primary = canonical(preset.evaluation.metric)
    best_told = say("Negatives by {best} measured best: {metric} {value}.", best=best, metric=primary,
                    value=f"{measured[best][primary]:.4f}")  # fmt: skip
    yield Paragraph(best_told.text(), strong=True)
    names = [primary, *(name for name in next(iter(measured.values())) if name != primary)]
    found = (record["systems"]["search"]["metrics"] for record in told.values() if record.get("systems"))
    alone: Mapping[str, float] = next(found, {})
    rows = [[translate(N_("search alone")), *_values(alone, names)]] if alone else []
    rows += [[name, *_values(values, names)] for name, values in measured.items()]
    titles = [translate(N_("negatives")), *names]
    marked = [row[0] for row in rows].index(best)
    yield Table(titles, rows, frozenset(range(1, len(titles))), marked)
    others = [name for name in measured if name != best]
    if others:
        yield Heading(translate(N_("How sure the differences are")))
        yield Bullets([_difference(preset, after, name, best) for name in others])
    yield Paragraph(translate(N_("Each variant is a whole run in variants/, with its own report, rankings and model.")))


def _values(metrics: Mapping[str, float], names: list[str]) -> list[str]:
    return [f"{metrics[name]:.4f}" if name in metrics else "" for name in names]


def _difference(preset: ComparisonPreset, after: Mapping[str, Any], other: str, best: str) -> str:
    primary = canonical(preset.evaluation.metric)
    samples, seed = preset.evaluation.bootstrap, preset.training.seed
    compared = compare(after[other]["per_query"], after[best]["per_query"], primary, samples, seed)
    message = say("From {other} to {best}: {told}", other=other, best=best, told=compared.sentence())
    return message.text()
