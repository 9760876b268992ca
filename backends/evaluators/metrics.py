"""Names of retrieval metrics, what trec_eval calls them, and their values query by query.

``recall@k`` is the share of the relevant documents among the first k; ``mrr@k`` one over the rank of the first relevant
one, 0 if it is not among the first k; ``ndcg@k`` goes by grades with linear gain, as trec_eval does (Järvelin and
Kekäläinen, 2002); ``map@100`` is average precision over the first 100 ranks, as in MTEB and sentence-transformers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

Qrels = Mapping[str, Mapping[str, int]]
Rankings = Mapping[str, list[tuple[str, float]]]
PerQuery = dict[str, dict[str, float]]

#: The depth of average precision, and the least depth of a saved ranking.
DEPTH: Final = 100
_FORM: Final = re.compile(r"(recall|mrr|ndcg|map|hit|precision)(?:@(\d+))?")
#: Our name to trec_eval's; mrr has no cut-off there and gets it below.
_TREC: Final = {"recall": "recall", "ndcg": "ndcg_cut", "map": "map_cut", "hit": "success", "precision": "P"}


def canonical(name: str) -> str:
    """``name`` in lower case with its cut-off: ``map`` becomes ``map@100``, ``mrr`` ``mrr@100``.

    Raises :class:`ValueError` for what is no metric.
    """
    match = _FORM.fullmatch(name.strip().lower())
    if match is None or match.group(2) == "0":
        raise ValueError(name)
    return f"{match.group(1)}@{int(match.group(2) or DEPTH)}"


def names(cutoffs: Iterable[int], also: Iterable[str] = ()) -> list[str]:
    """Every metric to report: recall, mrr and ndcg at each cut-off, ``map@100``, and ``also``."""
    cuts = sorted(set(cutoffs))
    listed = [f"{kind}@{cut}" for kind in ("recall", "mrr", "ndcg") for cut in cuts]
    return list(dict.fromkeys([*listed, f"map@{DEPTH}", *map(canonical, also)]))


def depth_of(metrics: Sequence[str]) -> int:
    """How deep rankings must be for ``metrics``, and at least :data:`DEPTH`."""
    return max([DEPTH, *(int(name.split("@")[1]) for name in metrics)])


def per_query(rankings: Rankings, qrels: Qrels, metrics: Sequence[str]) -> PerQuery:
    """``metrics`` of each query that has a relevant document, by pytrec_eval; 0 where it found nothing."""
    import pytrec_eval

    judged = {query: dict(grades) for query, grades in qrels.items() if any(grade > 0 for grade in grades.values())}
    run = {query: dict(rankings.get(query, ())) for query in judged}
    asked = {_trec_name(name) for name in metrics}
    values = pytrec_eval.RelevanceEvaluator(judged, asked).evaluate(run)
    return {query: {name: _value(values.get(query, {}), name) for name in metrics} for query in judged}


def _trec_name(name: str) -> str:
    kind, cut = name.split("@")
    return "recip_rank" if kind == "mrr" else f"{_TREC[kind]}.{cut}"


def _value(values: Mapping[str, float], name: str) -> float:
    kind, cut = name.split("@")
    if kind != "mrr":
        return float(values.get(f"{_TREC[kind]}_{cut}", 0.0))
    reciprocal = float(values.get("recip_rank", 0.0))
    return reciprocal if reciprocal * int(cut) >= 1 - 1e-9 else 0.0


def means(values: PerQuery) -> dict[str, float]:
    """The mean of each metric over the queries."""
    import numpy as np

    if not values:
        return {}
    first = next(iter(values.values()))
    return {name: float(np.mean([row[name] for row in values.values()])) for name in first}
