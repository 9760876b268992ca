"""Search in two stages: candidates that a first stage found, put in order by a reranker; measured by pytrec_eval."""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

from backends.evaluators import metrics
from backends.evaluators.base import Evaluator, Measurement, Wanted
from backends.evaluators.blending import blended
from data.examples import Collection

if TYPE_CHECKING:
    from backends.pair_scoring import PairScorer


class TwoStage(Evaluator["PairScorer"]):
    """Recall@k, MRR@k, nDCG@k and MAP of ``candidates`` in the reranker's order.

    ``candidates`` are rankings of the first stage, best first; what is not among them counts as not found. ``share``:
    how much their own scores count (:mod:`backends.evaluators.blending`).
    """

    name: ClassVar[str] = "two_stage"

    def __init__(self, candidates: metrics.Rankings | None = None, share: float = 0.0) -> None:
        self.candidates = candidates or {}
        self.share = share

    def measure(self, model: PairScorer, collection: Collection, wanted: Wanted) -> Measurement:
        """Score every query with its candidates, rank, evaluate; then time single queries."""
        begun = time.monotonic()
        rankings = reranked(model, self.candidates, collection, self.share)
        per_query, means = measured(rankings, collection, wanted)
        seconds = time.monotonic() - begun
        facts = {
            "queries": len(rankings),
            "documents": len(collection.corpus),
            "max_length": model.model.max_seq_length,
            "precision": model.how.precision,
            "search_share": self.share,
            "milliseconds": _timed(model, self.candidates, collection),
        }
        return Measurement(means, per_query, rankings, facts, seconds)


def reranked(
    scorer: PairScorer, candidates: metrics.Rankings, collection: Collection, share: float = 0.0
) -> dict[str, Any]:
    """The candidates of each query, highest score first; equal ones by id from high to low, as trec_eval does.

    The score is the reranker's logit, or with a ``share`` of the search what both make.
    """
    pairs = [
        (collection.queries[query], collection.corpus[key].full)
        for query, ranking in candidates.items()
        for key, _ in ranking
    ]
    scores = iter(scorer.scores(pairs).tolist())
    rankings = {}
    for query, ranking in candidates.items():
        final = blended([score for _, score in ranking], list(islice(scores, len(ranking))), share)
        ordered = sorted(zip(final, (key for key, _ in ranking), strict=True), reverse=True)
        rankings[query] = [(key, score) for score, key in ordered]
    return rankings


def measured(
    rankings: metrics.Rankings, collection: Collection, wanted: Wanted
) -> tuple[metrics.PerQuery, Mapping[str, float]]:
    """The wanted metrics of ``rankings``, query by query and as means."""
    qrels = {name: collection.qrels[name] for name in rankings}
    per_query = metrics.per_query(rankings, qrels, metrics.names(wanted.cutoffs, wanted.also))
    return per_query, metrics.means(per_query)


def _timed(scorer: PairScorer, candidates: metrics.Rankings, collection: Collection) -> dict[str, float]:
    from backends.candidates import TIMED, milliseconds

    quiet, taken = scorer.quietly(), []
    for query in list(candidates)[:TIMED]:
        pairs = [(collection.queries[query], collection.corpus[key].full) for key, _ in candidates[query]]
        begun = time.perf_counter()
        quiet.scores(pairs)
        taken.append(time.perf_counter() - begun)
    return milliseconds(taken)
