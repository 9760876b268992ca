"""How much the search's own scores count in a reranker's order, by the share that validation speaks for.

A reranker that learned from little knows something that the search does not, and forgets something that it does: the
best order is between both. The search alone is among the choices, so that a run hardly ends worse than without it.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from tunewiz.backends.evaluate import MetricOptions
from tunewiz.backends.evaluate.metrics import Rankings, canonical
from tunewiz.backends.evaluate.two_stage import in_order, logits_of, measure_rankings, search_candidates
from tunewiz.backends.evaluate.verdict import ShareChoice
from tunewiz.data.rows.examples import Collection
from tunewiz.presets.tasks.reranker import RerankerPreset
from tunewiz.problems import Problem, Where, note, say, warning

if TYPE_CHECKING:
    from tunewiz.backends.evaluate.measuring import MeasureOptions
    from tunewiz.backends.models.reranking import PairScorer

#: Shares of the search that are measured, 1 the search alone. Neighbours closer than that measure the same.
SHARES: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
#: Pairs that are scored for it at most: as many as one evaluation during training takes.
PAIRS: Final = 3000
#: Candidates of a query at most, so that of 3,000 pairs as many queries as possible tell.
DEPTH: Final = 30

_KEY: Final = "candidates.search_share"


class SearchShare(ShareChoice):
    """How much the search counts."""

    def told(self, metric: str) -> Problem:
        """What was chosen and why."""
        values = self.values(metric) | {"share": f"{self.share:g}"}
        if self.share == 1:
            message = say(
                "The search's order is kept: on {count} validation queries the reranker makes it no better, alone or "
                "mixed with it ({metric} by the share of the search: {shares}).",
                **values,
            )
            fix = say("Start from a model that reranks already, or give it more training queries.")
            return warning("search-share", message, Where(key=_KEY), fix)
        message = say(
            "The search's scores count {share} of the final order, by {count} validation queries ({metric} by the "
            "share of the search: {shares}).",
            **values,
        )
        return note("search-share", message, Where(key=_KEY))


def choose_share(
    scorer: PairScorer, preset: RerankerPreset, collection: Collection, usual: float, options: MeasureOptions
) -> SearchShare | None:
    """The share for ``scorer`` by the queries of ``collection``; ``None`` where the search finds nothing for them.

    ``usual``, unless another share is better beyond chance or it measures worse than the search alone.
    """
    metric, seed = canonical(preset.evaluation.metric), preset.training.seed
    depth = min(preset.candidates.depth, DEPTH)
    asked = list(collection.qrels)[: max(1, PAIRS // depth)]
    few = Collection(collection.corpus, collection.queries, {name: collection.qrels[name] for name in asked})
    wanted = preset.candidates.model_copy(update={"depth": depth})
    candidates = search_candidates(wanted, few, seed, options).rankings
    if not candidates:
        return None
    logits = logits_of(scorer, candidates, few)
    found = {share: _values(candidates, logits, share, few, metric, seed) for share in sorted({*SHARES, usual})}
    return SearchShare.of(found, usual, safe=1.0, seed=seed)


def _values(
    candidates: Rankings, logits: list[float], share: float, collection: Collection, metric: str, seed: int
) -> dict[str, float]:
    """The metric of each query with ``share`` of the search."""
    left = iter(logits)
    rankings = {
        name: in_order(ranking, list(islice(left, len(ranking))), share) for name, ranking in candidates.items()
    }
    per_query, _ = measure_rankings(rankings, collection, MetricOptions(cutoffs=(), also=(metric,), seed=seed))
    return {name: told[metric] for name, told in per_query.items()}
