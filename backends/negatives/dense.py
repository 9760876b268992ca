"""What the model that is to be trained ranks high and is wrong: the hardest negatives."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from backends.negatives.base import Encoder, Ranked, Strategy

if TYPE_CHECKING:
    from backends.negatives.base import Floats, Integers


class Dense(Strategy):
    """Exact search by inner product, with FAISS; vectors have length 1, so scores are cosines."""

    name: ClassVar[str] = "dense"
    _passages: Floats
    _queries: Floats
    _faiss: Any

    @cached_property
    def _encoder(self) -> Encoder:
        return self.surroundings.encoder()

    def index(self, passages: Sequence[str]) -> None:
        """Encode ``passages``."""
        import faiss

        self._passages = self._encoder.passages(passages)
        self._faiss = faiss.IndexFlatIP(self._passages.shape[1])
        self._faiss.add(self._passages)

    def search(self, queries: Sequence[str], depth: int) -> Ranked:
        """The ``depth`` passages of each query with the highest cosine."""
        self._queries = self._encoder.queries(queries)
        scores, found = self._faiss.search(self._queries, min(depth, len(self._passages)))
        return Ranked(found, scores)

    def scores(self, rows: Integers, passages: Integers) -> Floats:
        """Cosines of single pairs."""
        import numpy as np

        cosines: Floats = np.einsum("ij,ij->i", self._queries[rows], self._passages[passages])
        return cosines

    def identity(self) -> dict[str, Any]:
        """The model; exact search draws no random numbers."""
        return {"encoder": self._encoder.identity()}
