"""The strategies for negatives: by shared words (BM25), by the model that is to be trained (dense), and at random."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tunewiz.backends.negatives import Encoder, Ranked, Strategy
from tunewiz.backends.negatives.words import is_chinese, words

if TYPE_CHECKING:
    from tunewiz.backends.negatives import Floats, Integers


# Passages that share words with the query (BM25 as in Lucene; Robertson and Zaragoza, 2009), by bm25s.


_SAMPLE: Final = 500  # passages that decide how words are found; they are in the order of the data


class Bm25(Strategy):
    """Lexical search; the script of the passages decides how they are cut into words."""

    name: ClassVar[str] = "bm25"
    packages: ClassVar[tuple[str, ...]] = ("bm25s", "jieba")
    _chinese = False
    _vocabulary: dict[str, int]
    _weights: Any  # scipy CSR, passages x words: what a word of the query adds to a passage's score
    _queries: Any  # scipy CSR, queries x words: how often

    def index(self, passages: Sequence[str]) -> None:
        """Weigh the words of ``passages``."""
        import bm25s
        from scipy import sparse

        self._chinese = is_chinese(passages[:_SAMPLE])
        self._vocabulary = {}
        ids = [
            [self._vocabulary.setdefault(word, len(self._vocabulary)) for word in words(text, self._chinese)]
            for text in passages
        ]
        index = bm25s.BM25(method="lucene")
        index.index((ids, dict(self._vocabulary)), show_progress=False)
        # bm25s keeps the weights by word; by passage they score single pairs, too.
        parts = (index.scores["data"], index.scores["indices"], index.scores["indptr"])
        size = (len(passages), len(index.scores["indptr"]) - 1)
        self._weights = sparse.csc_matrix(parts, shape=size).tocsr()

    def search(self, queries: Sequence[str], depth: int) -> Ranked:
        """The ``depth`` passages of each query with the highest BM25 scores; those that share no word are left out."""
        import numpy as np

        self._queries = self._counted(queries)
        weights = self._weights.T.tocsr()
        depth = min(depth, self._weights.shape[0])
        step = _chunk(self._weights.shape[0])
        found, scores = [], []
        for start in range(0, len(queries), step):
            block = (self._queries[start : start + step] @ weights).toarray()
            best = np.argpartition(-block, depth - 1, axis=1)[:, :depth]
            values = np.take_along_axis(block, best, axis=1)
            order = np.lexsort((best, -values), axis=1)
            found.append(np.take_along_axis(best, order, axis=1))
            scores.append(np.take_along_axis(values, order, axis=1))
        passages = np.concatenate(found).astype(np.int64)
        ranked = np.concatenate(scores).astype(np.float32)
        passages[ranked <= 0] = -1
        return Ranked(passages, ranked)

    def scores(self, rows: Integers, passages: Integers) -> Floats:
        """BM25 of single pairs."""
        import numpy as np

        return np.asarray(self._queries[rows].multiply(self._weights[passages]).sum(axis=1), dtype=np.float32).ravel()

    def _counted(self, queries: Sequence[str]) -> Any:
        import numpy as np
        from scipy import sparse

        columns: list[int] = []
        starts = [0]
        for text in queries:
            known = (self._vocabulary.get(word) for word in words(text, self._chinese))
            columns += [number for number in known if number is not None]
            starts.append(len(columns))
        ones = np.ones(len(columns), dtype=np.float32)
        counted = sparse.csr_matrix((ones, columns, starts), shape=(len(queries), self._weights.shape[1]))
        counted.sum_duplicates()
        return counted


def _chunk(passages: int) -> int:
    """Queries scored at once, so that the dense block stays below 64 MiB of float32."""
    return max(1, 2**24 // max(1, passages))


# What the model that is to be trained ranks high and is wrong: the hardest negatives.


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


# Any other passages: easy negatives, at no cost.


#: Passages drawn per query and wanted candidate are distinct; more than this many are never needed.
_MOST = 256


class Random(Strategy):
    """Draws without replacement for each query."""

    name: ClassVar[str] = "random"
    _size = 0

    def index(self, passages: Sequence[str]) -> None:
        """Only their number counts."""
        self._size = len(passages)

    def search(self, queries: Sequence[str], depth: int) -> Ranked:
        """``depth`` (at most 256) different passages each, drawn by the seed; their scores mean nothing."""
        import numpy as np

        draw = np.random.default_rng(self.surroundings.seed)
        depth = min(depth, self._size, _MOST)
        # Drawing with replacement twice as many as wanted leaves too few different ones only where passages are few:
        # of those each query gets a permutation, which is exact and costs their number.
        if self._size <= 4 * depth:
            chosen = np.argsort(draw.random((len(queries), self._size)), axis=1)[:, :depth]
        else:
            chosen = _distinct(draw.integers(0, self._size, (len(queries), 2 * depth)), depth)
        return Ranked(chosen.astype(np.int64), np.zeros(chosen.shape, dtype=np.float32), comparable=False)

    def scores(self, rows: Integers, passages: Integers) -> Floats:
        """All alike."""
        import numpy as np

        return np.zeros(len(rows), dtype=np.float32)


def _distinct(drawn: Integers, depth: int) -> Integers:
    """The first ``depth`` different numbers of each row of ``drawn``; -1 where there are fewer."""
    import numpy as np

    order = np.argsort(drawn, axis=1, kind="stable")
    ordered = np.take_along_axis(drawn, order, axis=1)
    repeated = np.zeros(drawn.shape, dtype=bool)
    np.put_along_axis(repeated, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], axis=1)
    first = np.argsort(repeated, axis=1, kind="stable")[:, :depth]
    kept = np.take_along_axis(drawn, first, axis=1)
    kept[np.take_along_axis(repeated, first, axis=1)] = -1
    return kept
