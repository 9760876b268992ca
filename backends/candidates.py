"""The first stage of a search with a reranker: which documents of each query are put in order."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from backends import sources
from backends.evaluators.metrics import Rankings
from backends.measuring import Manner, search_encoder
from backends.negatives import catalogue
from backends.negatives.base import Strategy, Surroundings
from data.examples import Collection
from presets.families import instructions
from presets.sections.candidates import Candidates
from presets.sections.model import EncoderModel

if TYPE_CHECKING:
    from backends.encoder import SearchEncoder

#: Queries searched one at a time to tell how long one takes.
TIMED: Final = 10


@dataclass(frozen=True)
class Found:
    """The candidates of each query, best first, with the first stage's scores, and how long one query took."""

    rankings: Rankings
    milliseconds: Mapping[str, float] = field(default_factory=dict)


def embedder(name: str, manner: Manner) -> SearchEncoder:
    """The embedding model of a first stage: a hub id, a folder or ``starter``. Raises ``ModelUnavailable``."""
    from backends.loading import PASSAGE_PROMPTS, QUERY_PROMPTS, prompts

    model = named(name)
    encoder = search_encoder(sources.fetch(sources.resolve(model)), None, manner)
    if not any(prompts(encoder.model)):
        query, passage = instructions(model)
        chosen = {QUERY_PROMPTS[0]: query, PASSAGE_PROMPTS[0]: passage}
        encoder.model.prompts = {**encoder.model.prompts, **chosen}
    return encoder


def named(name: str) -> EncoderModel:
    """The model section that ``name`` stands for."""
    return EncoderModel(id=name, source="starter" if name == "starter" else "local" if Path(name).is_dir() else "auto")


def search(wanted: Candidates, collection: Collection, seed: int, manner: Manner) -> Found:
    """The ``depth`` best documents of every query of ``collection``; progress counts queries."""
    from backends.evaluators.ranking import best, by_text
    from backends.evaluators.retrieval import asked_of

    asked = asked_of(collection)
    if not asked or not collection.corpus:
        return Found({})
    # Passages alone take time to encode: their progress is shown, that of the queries is not.
    strategy = catalogue()[wanted.strategy](Surroundings(seed, lambda: embedder(wanted.model, manner)))
    texts, groups = by_text({name: document.full for name, document in collection.corpus.items()})
    strategy.index(texts)
    depth = min(wanted.depth, len(texts))
    ranked = strategy.search(list(asked.values()), depth)
    rankings = {}
    for place, name in enumerate(asked):
        pairs = zip(ranked.passages[place].tolist(), ranked.scores[place].tolist(), strict=True)
        rankings[name] = best(((row, score) for row, score in pairs if row >= 0), groups, wanted.depth)
    return Found(rankings, _timed(strategy, list(asked.values())[:TIMED], depth))


def _timed(strategy: Strategy, queries: list[str], depth: int) -> dict[str, float]:
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


def as_measured(found: Found, collection: Collection, wanted: Any, depth: int) -> Any:
    """A :class:`~backends.evaluators.base.Measurement` of the candidates in their own order: search alone.

    Its facts say how many queries have no right answer among the candidates, and the ceiling: their recall, beyond
    which no reranker gets.
    """
    from backends.evaluators.base import Measurement
    from backends.evaluators.two_stage import measured

    per_query, means = measured(found.rankings, collection, wanted)
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
