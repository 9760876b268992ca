"""Search with one encoder in documents whose vectors are computed once and kept in the run."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from backends.trying.corpus import Corpus

if TYPE_CHECKING:
    from backends.encoder import SearchEncoder
    from backends.encoding import Vectors


class Search:
    """The documents of ``corpus`` in the order of their cosine with a query."""

    def __init__(self, encoder: SearchEncoder, corpus: Corpus) -> None:
        self._corpus = corpus
        self._documents: Vectors = encoder.passages(corpus.texts)
        # One text at a time gains nothing from the fast path, and a query is no use to anybody later.
        self._asker = replace(encoder, cache=None, how=replace(encoder.how, fast=False))

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
