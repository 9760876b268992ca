"""What a report puts side by side: systems, ways to search, variants.

The systems of a search in two stages, the ways in which one model searches, the runs of a comparison.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from tunewiz.backends.evaluate.metrics import canonical
from tunewiz.backends.evaluate.records import BM25, FUSION, Measured, Metrics
from tunewiz.backends.evaluate.verdict import Comparison, compare
from tunewiz.backends.reports.blocks import Block, Heading, Paragraph, Table
from tunewiz.backends.reports.facts import Facts
from tunewiz.language import N_, translate
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.presets.tasks.reranker import RerankerPreset
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
    return compare(alone.per_query, tuned.per_query, facts.primary, samples, seed)


def two_stage_blocks(facts: Facts) -> Iterator[Block]:
    """Nothing without a first stage."""
    alone = facts.systems.get("search")
    if not alone:
        return
    yield Heading(translate(N_("Search in two stages")))
    compared = reranking(facts)
    if compared:
        yield Paragraph(say("Reranking against search alone: {told}", told=compared.sentence()).text())
    if compared and compared.verdict == "REGRESSION":
        yield Paragraph(_warning(facts.preset).text(), strong=True)
    yield _table(facts)
    tuned = facts.systems.get("after")
    if tuned and tuned.search_share:
        yield Paragraph(_blended(tuned.search_share).text())
    yield Paragraph(_ceiling(alone).text())


def _blended(share: float) -> Message:
    """That the final order is not the reranker's alone."""
    return say(
        "In the final order the search's own scores count {search} % and the reranker's {rest} %, both standardised "
        "over the candidates of a query.",
        search=round(100 * share),
        rest=round(100 * (1 - share)),
    )


def _warning(preset: RetrievalPreset) -> Message:
    share = preset.candidates.share() if isinstance(preset, RerankerPreset) else 0.0
    if share:
        return say(
            "This reranker makes the search worse, although the search's own scores count {percent} %: use the search "
            "without it, or raise candidates.search_share. Usual causes: right documents among the mined negatives, a "
            "training length that cuts the answer off, or too few training queries.",
            percent=round(100 * share),
        )
    return say(
        "This reranker makes the search worse: use the search without it, or let the search's own scores count too "
        "(candidates.search_share). Usual causes: right documents among the mined negatives, a training length that "
        "cuts the answer off, or too few training queries."
    )


def _table(facts: Facts) -> Table:
    names = [canonical(name) for name in facts.systems["search"].metrics]
    shown = [facts.primary, *(name for name in names if name != facts.primary)]
    titles = [translate(N_("system")), *shown, translate(N_("ms a query"))]
    rows = []
    for name, record in facts.systems.items():
        rows.append([translate(SYSTEMS[name]), *values_of(record.metrics, shown), _milliseconds(facts, name)])
    return Table(titles, rows, frozenset(range(1, len(titles))), len(rows) - 1)


def _milliseconds(facts: Facts, name: str) -> str:
    """What one query takes, both stages together."""
    if name == "untuned":
        return ""
    parts = [facts.systems[stage].milliseconds.get("median", 0.0) for stage in {"search", name}]
    return f"{sum(parts):.1f}"


def _ceiling(alone: Measured) -> Message:
    return say(
        "The first {depth} results of the search hold {percent} % of the right documents, which bounds every reranker "
        "over them; for {count} of {queries} queries they hold none. One query at a time, the median of "
        "10 queries is shown.",
        depth=alone.depth,
        percent=round(100 * alone.ceiling, 1),
        count=alone.out_of_reach,
        queries=alone.queries or 0,
    )


# What a report says of a model that searches in several ways: the dense vectors and those beside them.


WAYS: Final[Mapping[str, str]] = {
    "dense": N_("dense vectors"),
    BM25: N_("shared words (BM25), no training"),
    FUSION: N_("dense vectors and BM25, ranks fused"),
    "sparse": N_("word weights (sparse)"),
    "multi_vector": N_("token vectors (multi-vector)"),
    "all": N_("all three together"),
}


#: Those of a model that has more than dense vectors.
_OWN: Final = ("sparse", "multi_vector", "all")


def file_of_way(way: str, when: str) -> str:
    """The stem of the files of ``way``, measured ``when`` (before, after), in a run's report."""
    return way if way == BM25 else f"{way}.{when}"


def ways_after(facts: Facts) -> Mapping[str, Metrics]:
    """What each way to search reaches with the tuned model; empty where there is only one."""
    found = {way: _metrics(facts, way)["after"] for way in WAYS}
    known = {way: metrics for way, metrics in found.items() if metrics}
    return known if "dense" in known and len(known) > 1 else {}


def best_way(facts: Facts) -> str:
    """The way to search that is surely better than by dense vectors: "bm25" or "fusion"; else "dense"."""
    if facts.after is None or facts.systems:
        return "dense"
    beside = {way: Measured.read(facts.run.report / f"{file_of_way(way, 'after')}.json") for way in (BM25, FUSION)}
    options, better = facts.preset.evaluation, {}
    for way, record in beside.items():
        if record is not None:
            seed = facts.preset.training.seed
            compared = compare(facts.after.per_query, record.per_query, facts.primary, options.bootstrap, seed)
            if compared.verdict == "WIN":
                better[way] = compared.after
    return max(better, key=lambda way: better[way], default="dense")


def way_blocks(facts: Facts) -> Iterator[Block]:
    """A table with a row a way; nothing where there is only one."""
    found = {way: sides for way in WAYS if any((sides := _metrics(facts, way)).values())}
    if facts.systems or not {*found} - {"dense"}:
        return
    yield Heading(translate(N_("Ways to search")))
    columns = [translate(N_("way")), *(translate(text) for text in (N_("before"), N_("after"), N_("difference")))]
    rows = [[translate(WAYS[way]), *_cells(sides, facts.primary)] for way, sides in found.items()]
    yield Table([f"{columns[0]} ({facts.primary})", *columns[1:]], rows, frozenset({1, 2, 3}))
    if not any(way in found for way in _OWN):
        words = say("The verdict is on the dense vectors. Fused: a document counts 1 / (60 + its rank) in each list.")
        yield Paragraph(words.text())
        return
    message = say(
        "The verdict is on the dense vectors. Token vectors, and all three together, put the first 100 documents of "
        "the dense and of the sparse search in order."
    )
    yield Paragraph(message.text())


def _metrics(facts: Facts, way: str) -> dict[str, Metrics]:
    sides = {"before": facts.before, "after": facts.after}
    if way != "dense":
        sides = {when: Measured.read(facts.run.report / f"{file_of_way(way, when)}.json") for when in sides}
    return {when: record.metrics if record else {} for when, record in sides.items()}


def _cells(sides: Mapping[str, Metrics], metric: str) -> list[str]:
    before, after = (sides[when].get(metric) for when in ("before", "after"))
    cells = ["–" if value is None else f"{value:.4f}" for value in (before, after)]
    return [*cells, "–" if before is None or after is None else f"{after - before:+.4f}"]


# What the tuned model's vectors would give in fewer bytes.


def smaller_blocks(facts: Facts) -> Iterator[Block]:
    """A table with a row a form; nothing where they were not measured."""
    measured = facts.after
    if facts.systems or not measured or not measured.smaller:
        return
    yield Heading(translate(N_("How small the vectors can be")))
    width = max(form.numbers for form in measured.smaller)
    columns = (N_("a document"), N_("bytes"), facts.primary, N_("difference"), N_("95 % interval"))
    rows = [[_form(width, 32), str(4 * width), f"{measured.metrics.get(facts.primary, 0.0):.4f}", "–", "–"]]
    for form in measured.smaller:
        value, (low, high) = form.metrics.get(facts.primary, 0.0), form.interval
        numbers = [f"{value:.4f}", f"{form.difference:+.4f}", f"{low:+.4f} … {high:+.4f}"]
        rows.append([_form(form.numbers, form.bits), str(form.bytes), *numbers])
    yield Table([translate(name) for name in columns], rows, frozenset({1, 2, 3, 4}))
    message = say(
        "The tuned model on the same queries, which stay whole; only documents are stored smaller: the first numbers "
        "of each vector, or each number in a byte or a bit. With sentence-transformers: truncate_dim, and "
        "encode(precision=...). A model that gives short vectors by itself: tunewiz export --to merged --dimension N."
    )
    yield Paragraph(message.text())


def _form(numbers: int, bits: int) -> str:
    kinds: Mapping[int, str] = {32: N_("{count} numbers, fp32"), 8: N_("{count} numbers, int8"), 1: N_("{count} bits")}
    return translate(kinds[bits]).format(count=numbers)


def values_of(metrics: Metrics, names: list[str]) -> list[str]:
    """Cells of a table; empty where a measure was not taken."""
    return [f"{metrics[name]:.4f}" if name in metrics else "" for name in names]
