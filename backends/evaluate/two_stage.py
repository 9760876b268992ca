"""Search in two stages: candidates that a first stage finds, put in order by a reranker; measured by pytrec_eval.

The scores of both may count in one order: a weak reranker knows something that the search does not. Both are
standardised over a query's candidates (mean 0, standard deviation 1), for their scales have nothing to do with each
other, and added by their shares. That a reranker gains by it is known from BM25 (Wang et al., 2021, "BERT-based Dense
Retrievers Require Interpolation with BM25 for Effective Passage Retrieval").
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from tunewiz.backends import sources
from tunewiz.backends.evaluate import Evaluator, Measurement, MetricOptions, metrics
from tunewiz.backends.evaluate.measuring import MeasureOptions, search_encoder
from tunewiz.backends.evaluate.metrics import Rankings
from tunewiz.backends.negatives import Strategy, Surroundings, catalogue
from tunewiz.backends.sources.source import STARTER, search_model
from tunewiz.data.retrieval.own_documents import own_documents
from tunewiz.data.rows.examples import Collection
from tunewiz.data.text.language import language_of
from tunewiz.presets.families import instructions
from tunewiz.presets.sections.data import Candidates

if TYPE_CHECKING:
    from tunewiz.backends.models.encoding import SearchEncoder
    from tunewiz.backends.models.reranking import PairScorer


def blend_scores(search: Sequence[float], reranker: Sequence[float], share: float) -> list[float]:
    """``share`` (0 to 1) of the search's score and the rest of the reranker's; with 0 the reranker's as they are."""
    if not share:
        return list(reranker)
    mixed = share * _standardised(search) + (1 - share) * _standardised(reranker)
    return [float(score) for score in mixed]


def _standardised(scores: Sequence[float]) -> NDArray[np.float64]:
    values = np.asarray(scores, np.float64)
    spread = values.std() if len(values) else 0.0
    centred: NDArray[np.float64] = values - values.mean() if len(values) else values
    return centred / spread if spread > 0 else centred


#: Queries searched one at a time to tell how long one takes: enough for a median, few enough to cost seconds.
TIMED: Final = 10


@dataclass(frozen=True)
class CandidateSearch:
    """The candidates of each query, best first, with the first stage's scores, and how long one query took."""

    rankings: Rankings
    milliseconds: Mapping[str, float] = field(default_factory=dict)


def first_stage(wanted: Candidates, texts: Iterable[str]) -> Candidates:
    """``wanted`` with the model named that ``starter`` stands for where ``texts`` are searched."""
    if wanted.model != STARTER:
        return wanted
    return wanted.model_copy(update={"model": search_model(STARTER, language_of(texts)).id})


def embedder(name: str, options: MeasureOptions) -> SearchEncoder:
    """The embedding model of a first stage: a hub id or a folder. Raises ``ModelUnavailable``."""
    from tunewiz.backends.models.loading import PASSAGE_PROMPTS, QUERY_PROMPTS, prompts

    model = search_model(name)
    encoder = search_encoder(sources.fetch(sources.resolve(model)), None, options)
    if not any(prompts(encoder.model)):
        query, passage = instructions(model)
        chosen = {QUERY_PROMPTS[0]: query, PASSAGE_PROMPTS[0]: passage}
        encoder.model.prompts = {**encoder.model.prompts, **chosen}
    return encoder


def search_candidates(
    wanted: Candidates, collection: Collection, seed: int, options: MeasureOptions
) -> CandidateSearch:
    """The ``depth`` best documents of every query of ``collection``; progress counts queries."""
    from tunewiz.backends.evaluate.full_search import judged_queries
    from tunewiz.backends.evaluate.metrics import best, by_text, without_own

    asked = judged_queries(collection)
    if not asked or not collection.corpus:
        return CandidateSearch({})
    texts, groups = by_text({name: document.full for name, document in collection.corpus.items()})
    wanted = first_stage(wanted, texts)
    # Passages alone take time to encode: their progress is shown, that of the queries is not.
    strategy = catalogue()[wanted.strategy](Surroundings(seed, lambda: embedder(wanted.model, options)))
    strategy.index(texts)
    own = own_documents(collection)
    reach = wanted.depth + max(map(len, own.values()), default=0)
    depth = min(reach, len(texts))
    ranked = strategy.search(list(asked.values()), depth)
    rankings = {}
    for place, name in enumerate(asked):
        pairs = zip(ranked.passages[place].tolist(), ranked.scores[place].tolist(), strict=True)
        rankings[name] = best(((row, score) for row, score in pairs if row >= 0), groups, reach)
    rankings = without_own(rankings, own, wanted.depth)
    return CandidateSearch(rankings, _timed_search(strategy, list(asked.values())[:TIMED], depth))


def _timed_search(strategy: Strategy, queries: list[str], depth: int) -> dict[str, float]:
    taken = []
    for query in queries:
        begun = time.perf_counter()
        strategy.search([query], depth)
        taken.append(time.perf_counter() - begun)
    return milliseconds(taken)


def milliseconds(seconds: list[float]) -> dict[str, float]:
    """Median and 95th percentile of what single queries took."""
    import numpy as np

    if not seconds:
        return {}
    return {"median": 1000 * float(np.median(seconds)), "p95": 1000 * float(np.quantile(seconds, 0.95))}


def measure_candidates(found: CandidateSearch, collection: Collection, wanted: Any, depth: int) -> Any:
    """A :class:`~tunewiz.backends.evaluate.Measurement` of the candidates in their own order: search alone.

    Its facts say how many queries have no right answer among the candidates, and the ceiling: their recall, beyond
    which no reranker gets.
    """
    from tunewiz.backends.evaluate import Measurement

    per_query, means = measure_rankings(found.rankings, collection, wanted)
    measurement = Measurement(means, per_query, found.rankings)
    return replace(
        measurement, facts=facts_of(found.rankings, collection, depth) | {"milliseconds": found.milliseconds}
    )


def facts_of(rankings: Rankings, collection: Collection, depth: int) -> dict[str, Any]:
    """Counts of queries, documents and candidates, the ceiling, and the queries whose answers are out of reach."""
    shares = []
    for name, ranking in rankings.items():
        right = {key for key, grade in collection.qrels.get(name, {}).items() if grade > 0}
        reached = sum(key in right for key, _ in ranking)
        shares.append(reached / len(right) if right else 0.0)
    return {
        "queries": len(rankings),
        "documents": len(collection.corpus),
        "depth": depth,
        "ceiling": sum(shares) / len(shares) if shares else 0.0,
        "out_of_reach": sum(share == 0 for share in shares),
    }


class TwoStage(Evaluator["PairScorer"]):
    """Recall@k, MRR@k, nDCG@k and MAP of ``candidates`` in the reranker's order.

    ``candidates`` are rankings of the first stage, best first; what is not among them counts as not found. ``share``:
    how much their own scores count (:func:`blend_scores`).
    """

    name: ClassVar[str] = "two_stage"

    def __init__(self, candidates: metrics.Rankings | None = None, share: float = 0.0) -> None:
        self.candidates = candidates or {}
        self.share = share

    def measure(self, model: PairScorer, collection: Collection, wanted: MetricOptions) -> Measurement:
        """Score every query with its candidates, rank, evaluate; then time single queries."""
        begun = time.monotonic()
        rankings = rerank_candidates(model, self.candidates, collection, self.share)
        per_query, means = measure_rankings(rankings, collection, wanted)
        seconds = time.monotonic() - begun
        facts = {
            "queries": len(rankings),
            "documents": len(collection.corpus),
            "max_length": model.model.max_seq_length,
            "precision": model.options.precision,
            "search_share": self.share,
            "milliseconds": _timed_reranking(model, self.candidates, collection),
        }
        return Measurement(means, per_query, rankings, facts, seconds)


def rerank_candidates(
    scorer: PairScorer, candidates: metrics.Rankings, collection: Collection, share: float = 0.0
) -> dict[str, Any]:
    """The candidates of each query, highest score first; equal ones by id from high to low, as trec_eval does.

    The score is the reranker's logit, or with a ``share`` of the search what both make.
    """
    logits = iter(logits_of(scorer, candidates, collection))
    return {
        query: in_order(ranking, list(islice(logits, len(ranking))), share) for query, ranking in candidates.items()
    }


def logits_of(scorer: PairScorer, candidates: metrics.Rankings, collection: Collection) -> list[float]:
    """The reranker's score of each candidate, query by query."""
    pairs = [
        (collection.queries[query], collection.corpus[key].full)
        for query, ranking in candidates.items()
        for key, _ in ranking
    ]
    found: list[float] = scorer.scores(pairs).tolist()
    return found


def in_order(ranking: Sequence[tuple[str, float]], logits: Sequence[float], share: float) -> list[tuple[str, float]]:
    """The candidates of a query by the mix of the search's scores and ``logits``, as :func:`rerank_candidates`."""
    final = blend_scores([score for _, score in ranking], logits, share)
    ordered = sorted(zip(final, (key for key, _ in ranking), strict=True), reverse=True)
    return [(key, score) for score, key in ordered]


def measure_rankings(
    rankings: metrics.Rankings, collection: Collection, wanted: MetricOptions
) -> tuple[metrics.PerQuery, Mapping[str, float]]:
    """The wanted metrics of ``rankings``, query by query and as means."""
    qrels = {name: collection.qrels[name] for name in rankings}
    per_query = metrics.per_query(rankings, qrels, metrics.metric_names(wanted.cutoffs, wanted.also))
    return per_query, metrics.means(per_query)


def _timed_reranking(scorer: PairScorer, candidates: metrics.Rankings, collection: Collection) -> dict[str, float]:

    quiet, taken = scorer.quietly(), []
    for query in list(candidates)[:TIMED]:
        pairs = [(collection.queries[query], collection.corpus[key].full) for key, _ in candidates[query]]
        begun = time.perf_counter()
        quiet.scores(pairs)
        taken.append(time.perf_counter() - begun)
    return milliseconds(taken)
