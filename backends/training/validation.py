"""Measuring while training, on rows kept from it: what early stopping and the best checkpoint go by.

Encoders search among passages; rerankers put candidates of the validation queries in order.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from tunewiz.backends.evaluate import Measurement, MetricOptions
from tunewiz.backends.evaluate.full_search import Retrieval
from tunewiz.backends.evaluate.measuring import MeasureOptions
from tunewiz.backends.evaluate.metrics import PerQuery, Rankings, canonical
from tunewiz.backends.evaluate.two_stage import measure_rankings, rerank_candidates, search_candidates
from tunewiz.backends.models.batching import EncodeOptions
from tunewiz.backends.models.encoding import SearchEncoder
from tunewiz.backends.models.reranking import ready_to_score
from tunewiz.data.retrieval.built_corpus import Passages, collection_from_groups, collection_from_pairs
from tunewiz.data.retrieval.prepared import Prepared
from tunewiz.data.rows.examples import Collection, Group, ScoredPair
from tunewiz.presets.sections.data import Candidates

#: Passages searched at most while training; more take long and hardly change which checkpoint is best.
MOST_PASSAGES: Final = 5000
#: And at least, where there are as many: among fewer nearly everything is found.
FEWEST_PASSAGES: Final = 500
#: What scored pairs are measured by: the rank correlation of cosines and scores (Spearman, 1904).
CORRELATION: Final = "spearman"


def metric_of(prepared: Prepared, primary: str) -> str | None:
    """The name of the validation metric; ``None`` without validation rows."""
    if not prepared.validation:
        return None
    return canonical(primary) if prepared.shape == "groups" else CORRELATION


def search_evaluator(
    prepared: Prepared, primary: str, options: EncodeOptions, check_stop: Callable[[], None], seed: int
) -> Any:
    """A sentence-transformers evaluator over the validation rows; its values are named without prefix."""
    from sentence_transformers.base.evaluation import BaseEvaluator

    collection = held_out(prepared.validation_groups, prepared, seed)
    pairs = prepared.validation_pairs

    class Validation(BaseEvaluator):  # type: ignore[misc]  # the library is untyped at our edge
        """Calls our own evaluator, or correlates scores."""

        def __call__(self, model: Any, *_: Any, **__: Any) -> dict[str, float]:
            if prepared.shape == "scored":
                return {CORRELATION: sum(self.values(model).values()) / max(1, len(pairs))}
            return dict(self._measured(model).metrics)

        def values(self, model: Any) -> dict[str, float]:
            """The metric of each query; of scored pairs, what each adds to the correlation."""
            if prepared.shape == "scored":
                with unwrap_forward(model):
                    parts = correlation(SearchEncoder(model, options, check_stop=check_stop), pairs)
                return {str(place): part for place, part in enumerate(parts)}
            found = self._measured(model).per_query
            return {query: told[canonical(primary)] for query, told in found.items()}

        def _measured(self, model: Any) -> Measurement:
            with unwrap_forward(model):
                encoder = SearchEncoder(model, options, check_stop=check_stop)
                wanted = MetricOptions(cutoffs=(), also=(primary,), seed=seed)
                return Retrieval().measure(encoder, collection, wanted)

    return Validation()


@contextmanager
def unwrap_forward(model: Any) -> Iterator[None]:
    """Take away what training has put around ``model.forward`` (autocast, pieces), and put it back."""
    wrapped = model.__dict__.pop("forward", None)
    try:
        yield
    finally:
        if wrapped is not None:
            model.forward = wrapped


def held_out(validation: Sequence[Group], prepared: Prepared, seed: int, most: int = MOST_PASSAGES) -> Collection:
    """The queries of ``validation`` over their own passages and others drawn from what the evaluation searches.

    Passages that training teaches to stay away from every query but their own are easy to tell from the right ones: a
    search among them alone tells of gains that new documents do not see. Where there is no evaluation they must do.
    Of the evaluation nothing but its documents is used. There are ``most`` passages at most, and no more than twice
    as many as training reads: a measure must not take longer than an epoch.
    """
    passages = Passages()
    found = collection_from_groups(validation, (), passages)
    others = [document.full for document in prepared.evaluation.corpus.values()] or [
        text for group in prepared.groups for text in (*group.positives, *group.negatives)
    ]
    room = min(most, max(FEWEST_PASSAGES, 2 * len(prepared.groups))) - len(passages.documents)
    random.Random(seed).shuffle(others)
    for text in others[: max(0, room)]:
        passages.add(text)
    return found


def correlation(encoder: SearchEncoder, pairs: Sequence[ScoredPair]) -> list[float]:
    """What each pair adds to Spearman's rank correlation of the pairs' cosines with their scores.

    The mean is the correlation, -1 to 1; all are 0 where it is undefined.
    """
    import numpy as np
    from scipy.stats import rankdata

    first = encoder.queries([pair.first for pair in pairs])
    second = encoder.passages([pair.second for pair in pairs])
    cosines = rankdata((first * second).sum(axis=1))
    scores = rankdata([pair.score for pair in pairs])
    if len(pairs) == 0 or np.ptp(cosines) == 0 or np.ptp(scores) == 0:
        return [0.0] * len(pairs)
    standard = [(ranks - ranks.mean()) / ranks.std() for ranks in (cosines, scores)]
    parts: list[float] = (standard[0] * standard[1]).tolist()
    return parts


# Measuring while training: the candidates of validation queries, reranked, by the primary metric.


#: Candidates a validation query at most, and queries: 3,000 pairs an evaluation, 80 seconds for MiniLM on two CPU cores
#: at 200 tokens a pair. More take long and hardly change which checkpoint is best.
DEPTH: Final = 20
MOST_QUERIES: Final = 150


def collection_of(prepared: Prepared, seed: int) -> Collection:
    """The validation queries over their own passages and many of training's."""
    if prepared.shape == "groups":
        whole = held_out(prepared.validation_groups, prepared, seed)
    else:
        whole = collection_from_pairs(prepared.validation_pairs, prepared.pairs)
    kept = list(whole.qrels)[:MOST_QUERIES]
    return Collection(whole.corpus, whole.queries, {name: whole.qrels[name] for name in kept})


def reranking_evaluator(
    collection: Collection, depth: int, primary: str, options: EncodeOptions, check_stop: Callable[[], None], seed: int
) -> Any:
    """A sentence-transformers evaluator; its value is named after the metric, without prefix."""
    from sentence_transformers.base.evaluation import BaseEvaluator

    wanted = MetricOptions(cutoffs=(), also=(primary,), seed=seed)
    candidates = with_answers(collection, min(depth, DEPTH), seed)

    class Validation(BaseEvaluator):  # type: ignore[misc]  # the library is untyped at our edge
        """Calls our own evaluator."""

        def __call__(self, model: Any, *_: Any, **__: Any) -> dict[str, float]:
            return {canonical(primary): self._measured(model)[1][canonical(primary)]}

        def values(self, model: Any) -> dict[str, float]:
            """The metric of each query."""
            return {query: told[canonical(primary)] for query, told in self._measured(model)[0].items()}

        def _measured(self, model: Any) -> tuple[PerQuery, Mapping[str, float]]:
            with unwrap_forward(model), ready_to_score(model, options, check_stop=check_stop) as scorer:
                return measure_rankings(rerank_candidates(scorer, candidates, collection), collection, wanted)

    return Validation()


def with_answers(collection: Collection, depth: int, seed: int) -> Rankings:
    """BM25's candidates of each query, and its right documents where they are not among them."""
    found = search_candidates(Candidates(strategy="bm25", depth=depth), collection, seed, MeasureOptions()).rankings
    return {
        name: ranking + [(key, 0.0) for key in collection.qrels[name] if key not in dict(ranking)]
        for name, ranking in found.items()
    }
