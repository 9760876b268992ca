"""Search by shared words beside search by vectors: BM25 alone, and both in one order by rank fusion.

What training brought is worth something only beside what costs nothing: on many collections BM25 alone is hard to beat,
and often the two together find more than either.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tunewiz.backends.evaluate import Measurement, MetricOptions
from tunewiz.backends.evaluate.full_search import Retrieval, judged_queries
from tunewiz.backends.evaluate.measuring import MeasureOptions
from tunewiz.backends.evaluate.metrics import Rankings, depth_of, metric_names, read_run
from tunewiz.backends.evaluate.records import BM25
from tunewiz.backends.evaluate.two_stage import measure_rankings, search_candidates
from tunewiz.backends.negatives import catalogue
from tunewiz.data.rows.examples import Collection
from tunewiz.presets.sections.data import Candidates

#: A document counts 1 / (60 + rank) in each list (Cormack, Clarke and Buettcher, 2009: reciprocal rank fusion).
_RANKS: Final = 60
#: Documents of each list that are put together: the depth of the paper, and of what is measured.
FUSED: Final = 100
_DEEPEST: Final = 1000  # as candidates.depth


def fused(*lists: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """The documents of all ``lists`` (ids with scores, best first) in one order; equal ones by id from high to low.

    >>> [name for name, _ in fused([("a", 0.9), ("b", 0.8)], [("b", 7.0), ("c", 1.0)])]
    ['b', 'a', 'c']
    """
    scores: dict[str, float] = {}
    for ranking in lists:
        for rank, (name, _) in enumerate(ranking[:FUSED], 1):
            scores[name] = scores.get(name, 0.0) + 1 / (_RANKS + rank)
    return sorted(scores.items(), key=lambda item: (item[1], item[0]), reverse=True)


def measure_by_words(collection: Collection, wanted: MetricOptions, report: Path) -> Measurement | None:
    """BM25 over the collection, and kept in the folder ``report``, where it is read from next time.

    ``None`` where the packages that it needs are not installed.
    """
    if not all(importlib.util.find_spec(name) for name in catalogue()[BM25].packages):
        return None
    kept = report / f"{BM25}.run.tsv"
    if (report / f"{BM25}.json").is_file() and kept.is_file():
        known = read_run(kept)  # a query that shares no word with any document has no line in it
        return _measured({name: known.get(name, []) for name in judged_queries(collection)}, collection, wanted)
    depth = min(_DEEPEST, depth_of(metric_names(wanted.cutoffs, wanted.also)))
    search = Candidates(strategy=BM25, depth=depth)
    found = _measured(search_candidates(search, collection, wanted.seed, MeasureOptions()).rankings, collection, wanted)
    Retrieval().save(found, report / BM25)
    return found


def measure_fused(
    dense: Rankings, words: Rankings, collection: Collection, wanted: MetricOptions, stem: Path
) -> Measurement:
    """Both lists of each query of ``dense`` in one order, written to ``stem``."""
    depth = depth_of(metric_names(wanted.cutoffs, wanted.also))
    together = {name: fused(ranking, words.get(name, []))[:depth] for name, ranking in dense.items()}
    found = _measured(together, collection, wanted)
    Retrieval().save(found, stem)
    return found


def _measured(rankings: Rankings, collection: Collection, wanted: MetricOptions) -> Measurement:
    per_query, means = measure_rankings(rankings, collection, wanted)
    facts: Mapping[str, int] = {"queries": len(rankings), "documents": len(collection.corpus)}
    return Measurement(means, per_query, rankings, facts)
