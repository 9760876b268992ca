"""What a run's models are tried on: the documents it was measured on, and the answers that are known.

Search in them, with vectors that are computed once and kept in the run.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from tunewiz.backends.negatives import Encoder, Surroundings
from tunewiz.backends.runs.run import Run
from tunewiz.data.retrieval.prepared import Prepared, load
from tunewiz.data.text.duplicates import normal
from tunewiz.problems import BadData, error, say

if TYPE_CHECKING:
    from tunewiz.backends.models.encoding import SearchEncoder, Vectors


EXAMPLES: Final = 20  # questions offered to try: what a list beside the answer shows without scrolling far


@dataclass(frozen=True)
class Corpus:
    """Documents by id, queries to try, and by the normalised text of a query the documents that answer it."""

    ids: Sequence[str]
    texts: Sequence[str]
    queries: Sequence[str] = ()
    answers: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def known(self, query: str) -> frozenset[str]:
        """The ids of the documents that answer ``query``, as far as the data says."""
        return self.answers.get(normal(query), frozenset())


def run_documents(run: Run) -> Corpus:
    """The documents of the run's evaluation; without one, the passages it was trained on.

    Raises :class:`BadData` when there is neither.
    """
    prepared = load(run.data)
    evaluation = prepared.evaluation
    if evaluation.corpus:
        answers = {
            normal(evaluation.queries[query]): frozenset(key for key, grade in judged.items() if grade > 0)
            for query, judged in evaluation.qrels.items()
            if query in evaluation.queries
        }
        texts = [document.full for document in evaluation.corpus.values()]
        return Corpus(list(evaluation.corpus), texts, _spread(list(evaluation.queries.values())), answers)
    passages = dict.fromkeys(_trained(prepared))
    if not passages:
        message = say("The run {name} has no documents to search in.", name=run.name)
        raise BadData(error("no-documents", message, fix=say("Name some with data.evaluation.corpus in its preset.")))
    return Corpus([str(number) for number in range(1, len(passages) + 1)], list(passages))


def _trained(prepared: Prepared) -> Iterator[str]:
    for group in prepared.groups:
        yield from group.positives
    for pair in prepared.pairs:
        yield pair.second


def _spread(queries: list[str]) -> list[str]:
    """Some of ``queries`` from all over them."""
    return queries[:: max(1, len(queries) // EXAMPLES)][:EXAMPLES]


# Search with one encoder in documents whose vectors are computed once and kept in the run.


class Search:
    """The documents of ``corpus`` in the order of their cosine with a query."""

    def __init__(self, encoder: SearchEncoder, corpus: Corpus) -> None:
        self._corpus = corpus
        self._documents: Vectors = encoder.passages(corpus.texts)
        # One text at a time gains nothing from the fast path, and a query is no use to anybody later.
        self._asker = replace(encoder, cache=None, options=replace(encoder.options, fast=False))

    def find(self, query: str, k: int, known: Collection[str]) -> dict[str, Any]:
        """The ``k`` best ``hits`` (rank from 1, id, cosine, text), ``known_rank`` of the best known answer, seconds.

        Equal cosines are ordered by id from high to low, as the measurement orders them.
        """
        import numpy as np

        begun = time.monotonic()
        vector = self._asker.queries([query])[0]
        scores = self._documents @ vector
        ids = self._corpus.ids
        edge = np.partition(scores, -min(k, len(scores)))[-min(k, len(scores))]
        best = sorted(np.flatnonzero(scores >= edge).tolist(), key=lambda row: (float(scores[row]), ids[row]))[::-1]
        hits = [self._hit(rank, row, float(scores[row]), known) for rank, row in enumerate(best[:k], 1)]
        places = {name: row for row, name in enumerate(ids)} if known else {}
        ranks = [1 + int((scores > scores[places[name]]).sum()) for name in known if name in places]
        seconds = time.monotonic() - begun
        return {"hits": hits, "known_rank": min(ranks, default=None), "seconds": seconds}

    def _hit(self, rank: int, row: int, score: float, known: Collection[str]) -> dict[str, Any]:
        name = self._corpus.ids[row]
        return {"rank": rank, "id": name, "score": score, "text": self._corpus.texts[row], "known": name in known}


class WordSearch:
    """The documents of ``corpus`` by BM25, alone or in one order with those that another search found."""

    def __init__(self, corpus: Corpus) -> None:
        from tunewiz.backends.negatives.strategies import Bm25

        self._corpus = corpus
        self._rows = {name: row for row, name in enumerate(corpus.ids)}
        self._strategy = Bm25(Surroundings(0, _no_encoder))
        self._strategy.index(list(corpus.texts))

    def find(
        self, query: str, k: int, known: Collection[str], beside: Sequence[Mapping[str, Any]] | None = None
    ) -> dict[str, Any]:
        """As :meth:`Search.find`; with the hits ``beside`` the ranks of both are fused."""
        from tunewiz.backends.evaluate.by_words import FUSED, fused

        begun = time.perf_counter()
        ranked = self._strategy.search([query], min(max(k, FUSED), len(self._corpus.ids)))
        pairs = zip(ranked.passages[0].tolist(), ranked.scores[0].tolist(), strict=True)
        order = [(self._corpus.ids[row], float(score)) for row, score in pairs if row >= 0]
        if beside is not None:
            order = fused([(str(hit["id"]), float(hit["score"])) for hit in beside], order)
        hits = [
            {
                "rank": rank,
                "id": name,
                "score": score,
                "text": self._corpus.texts[self._rows[name]],
                "known": name in known,
            }
            for rank, (name, score) in enumerate(order[:k], 1)
        ]
        ranks = [rank for rank, (name, _) in enumerate(order, 1) if name in known]
        return {"hits": hits, "known_rank": min(ranks, default=None), "seconds": time.perf_counter() - begun}


def _no_encoder() -> Encoder:
    raise RuntimeError("search by words asks no model")
