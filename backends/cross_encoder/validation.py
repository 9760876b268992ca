"""Measuring while training: the candidates of validation queries, reranked, by the primary metric."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from backends.batching import Computing
from backends.candidates import search
from backends.evaluators.base import Wanted
from backends.evaluators.metrics import Rankings, canonical
from backends.evaluators.two_stage import measured, reranked
from backends.measuring import Manner
from backends.pair_scoring import ready_to_score
from backends.sentence_transformers.validation import held_out, unwrapped
from data.built_corpus import from_pairs
from data.examples import Collection
from data.prepared import Prepared
from presets.sections.candidates import Candidates

#: Candidates a validation query at most, and queries: more take long and hardly change which checkpoint is best.
DEPTH: Final = 20
MOST_QUERIES: Final = 150


def collection_of(prepared: Prepared, seed: int) -> Collection:
    """The validation queries over their own passages and many of training's."""
    if prepared.shape == "groups":
        whole = held_out(prepared.validation_groups, prepared.groups, seed)
    else:
        whole = from_pairs(prepared.validation_pairs, prepared.pairs)
    kept = list(whole.qrels)[:MOST_QUERIES]
    return Collection(whole.corpus, whole.queries, {name: whole.qrels[name] for name in kept})


def evaluator(
    collection: Collection, depth: int, primary: str, how: Computing, check_stop: Callable[[], None], seed: int
) -> Any:
    """A sentence-transformers evaluator; its value is named after the metric, without prefix."""
    from sentence_transformers.base.evaluation import BaseEvaluator

    wanted = Wanted(cutoffs=(), also=(primary,), seed=seed)
    candidates = with_answers(collection, min(depth, DEPTH), seed)

    class Validation(BaseEvaluator):  # type: ignore[misc]  # the library is untyped at our edge
        """Calls our own evaluator."""

        def __call__(self, model: Any, *_: Any, **__: Any) -> dict[str, float]:
            with unwrapped(model), ready_to_score(model, how, check_stop=check_stop) as scorer:
                means = measured(reranked(scorer, candidates, collection), collection, wanted)[1]
            return {canonical(primary): means[canonical(primary)]}

    return Validation()


def with_answers(collection: Collection, depth: int, seed: int) -> Rankings:
    """BM25's candidates of each query, and its right documents where they are not among them."""
    found = search(Candidates(strategy="bm25", depth=depth), collection, seed, Manner()).rankings
    return {
        name: ranking + [(key, 0.0) for key in collection.qrels[name] if key not in dict(ranking)]
        for name, ranking in found.items()
    }
