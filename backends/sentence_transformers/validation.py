"""Measuring while training, on rows kept from it: what early stopping and the best checkpoint go by."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from backends.batching import Computing
from backends.encoder import SearchEncoder
from backends.evaluators.base import Wanted
from backends.evaluators.metrics import canonical
from backends.evaluators.retrieval import Retrieval
from data.built_corpus import from_groups
from data.examples import Collection, Group, ScoredPair
from data.prepared import Prepared

#: Passages searched at most while training; more take long and hardly change which checkpoint is best.
MOST_PASSAGES: Final = 5000
#: What scored pairs are measured by: the rank correlation of cosines and scores (Spearman, 1904).
CORRELATION: Final = "spearman"


def metric_of(prepared: Prepared, primary: str) -> str | None:
    """The name of the validation metric; ``None`` without validation rows."""
    if not prepared.validation:
        return None
    return canonical(primary) if prepared.shape == "groups" else CORRELATION


def evaluator(prepared: Prepared, primary: str, how: Computing, check_stop: Callable[[], None], seed: int) -> Any:
    """A sentence-transformers evaluator over the validation rows; its values are named without prefix."""
    from sentence_transformers.base.evaluation import BaseEvaluator

    collection = held_out(prepared.validation_groups, prepared.groups, seed)
    pairs = prepared.validation_pairs

    class Validation(BaseEvaluator):  # type: ignore[misc]  # the library is untyped at our edge
        """Calls our own evaluator, or correlates scores."""

        def __call__(self, model: Any, *_: Any, **__: Any) -> dict[str, float]:
            with unwrapped(model):
                encoder = SearchEncoder(model, how, check_stop=check_stop)
                if prepared.shape == "scored":
                    return {CORRELATION: correlation(encoder, pairs)}
                wanted = Wanted(cutoffs=(), also=(primary,), seed=seed)
                return dict(Retrieval().measure(encoder, collection, wanted).metrics)

    return Validation()


@contextmanager
def unwrapped(model: Any) -> Iterator[None]:
    """Take away what training has put around ``model.forward`` (autocast, pieces), and put it back."""
    wrapped = model.__dict__.pop("forward", None)
    try:
        yield
    finally:
        if wrapped is not None:
            model.forward = wrapped


def held_out(validation: Sequence[Group], training: Sequence[Group], seed: int) -> Collection:
    """The validation queries over their own passages and as many of training's as :data:`MOST_PASSAGES` allows."""
    drawn = list(training)
    random.Random(seed).shuffle(drawn)
    others: list[Group] = []
    passages = 0
    for group in drawn:
        passages += len(group.positives) + len(group.negatives)
        if passages > MOST_PASSAGES:
            break
        others.append(group)
    return from_groups(validation, others)


def correlation(encoder: SearchEncoder, pairs: Sequence[ScoredPair]) -> float:
    """Spearman's rank correlation of the pairs' cosines with their scores, -1 to 1; 0 where it is undefined."""
    import numpy as np
    from scipy.stats import rankdata

    first = encoder.queries([pair.first for pair in pairs])
    second = encoder.passages([pair.second for pair in pairs])
    cosines = rankdata((first * second).sum(axis=1))
    scores = rankdata([pair.score for pair in pairs])
    if np.ptp(cosines) == 0 or np.ptp(scores) == 0:
        return 0.0
    return float(np.corrcoef(cosines, scores)[0, 1])
