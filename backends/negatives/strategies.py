"""The strategies for negatives: by shared words (BM25), by the model that is to be trained (dense), and at random."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tunewiz.backends.negatives import SUFFICES, Agreement, Encoder, Ranked, Searched, Strategy
from tunewiz.backends.negatives.nearest import SHARES, Clusters, exact, pays, sample
from tunewiz.backends.negatives.words import is_chinese, words

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from tunewiz.backends.negatives import Floats, Integers

    Flags = npt.NDArray[np.bool_]


# Passages that share words with the query (BM25 as in Lucene; Robertson and Zaragoza, 2009), by bm25s.


_AT_ONCE: Final = 512  # queries whose passages are scored at once: some ten MB
#: Passages with a word of the query, each as often as it has one: up to so many it is faster to score them all, by a
#: product of many queries at once, than to find out which could be among the best.
_SHORT: Final = 1 << 14
_TOGETHER: Final = 1 << 21  # of them in one product: some 16 MB
_SEED: Final = 0  # of clusters: the same negatives in every run
_SAMPLE: Final = 500  # passages that decide how words are found; they are in the order of the data


class Bm25(Strategy):
    """Lexical search; the script of the passages decides how they are cut into words."""

    name: ClassVar[str] = "bm25"
    packages: ClassVar[tuple[str, ...]] = ("bm25s", "jieba")
    _chinese = False
    _vocabulary: dict[str, int]
    _weights: Any  # scipy CSR, passages x words: what a word of the query adds to a passage's score
    _by_word: Any  # the same by words
    _frequent: Integers  # passages that hold each word
    _most: Floats  # what each word adds at most
    _queries: Any  # scipy CSR, queries x words: how often

    def index(self, passages: Sequence[str]) -> None:
        """Weigh the words of ``passages``."""
        import bm25s
        import numpy as np
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
        self._by_word = sparse.csc_matrix(parts, shape=size)
        self._weights = self._by_word.tocsr()
        self._frequent = np.diff(self._by_word.indptr)
        held = self._frequent > 0
        self._most = np.zeros(size[1], dtype=np.float32)
        self._most[held] = np.maximum.reduceat(self._by_word.data, self._by_word.indptr[:-1][held])

    def search(self, queries: Sequence[str], depth: int) -> Ranked:
        """The ``depth`` passages of each query with the highest BM25 scores; those that share no word are left out."""
        import numpy as np

        self._queries = self._counted(queries)
        depth = min(depth, self._weights.shape[0])
        passages = np.full((len(queries), depth), -1, dtype=np.int64)
        ranked = np.zeros((len(queries), depth), dtype=np.float32)
        held = np.concatenate(([0], np.cumsum(self._frequent[self._queries.indices])))
        work = np.diff(held[self._queries.indptr])  # passages that hold the words of each query, each as often
        found = chain(self._all_scored(np.flatnonzero(work <= _SHORT), work), self._best_scored(work > _SHORT, depth))
        for row, numbers, values in found:
            if len(numbers) > depth:
                some = values >= np.partition(values, len(values) - depth)[len(values) - depth]
                numbers, values = numbers[some], values[some]
            best = np.lexsort((numbers, -values))[:depth]
            passages[row, : len(best)], ranked[row, : len(best)] = numbers[best], values[best]
        return Ranked(passages, ranked)

    def _all_scored(self, rows: Integers, work: Integers) -> Iterator[tuple[int, Integers, Floats]]:
        """Of each of the queries ``rows`` every passage that shares a word, and its score: products of many at once."""
        import numpy as np

        for part in np.split(rows, np.flatnonzero(np.diff(np.cumsum(work[rows]) // _TOGETHER)) + 1):
            product = self._queries[part] @ self._by_word.T
            ends = product.indptr.tolist()
            for row, start, end in zip(part.tolist(), ends[:-1], ends[1:], strict=True):
                yield row, product.indices[start:end], product.data[start:end]

    def _best_scored(self, chosen: Flags, depth: int) -> Iterator[tuple[int, Integers, Floats]]:
        """Of each of the ``chosen`` queries the passages among which its best are, and their scores."""
        import numpy as np

        sums = np.zeros(self._weights.shape[0], dtype=np.float32)
        rows = np.flatnonzero(chosen)
        for start in range(0, len(rows), _AT_ONCE):
            part = rows[start : start + _AT_ONCE]
            hopeful = [self._hopeful(row, depth, sums) for row in part.tolist()]
            counts = list(map(len, hopeful))
            scores = self.scores(np.repeat(part, counts), np.concatenate(hopeful))
            yield from zip(part.tolist(), hopeful, np.split(scores, np.cumsum(counts)[:-1]), strict=True)

    def _hopeful(self, row: int, depth: int, sums: Floats) -> Integers:
        """Passages among which the best of query ``row`` are; ``sums`` is all zeros, before and after.

        MaxScore (Turtle and Flood, 1995): rare words first, until those that are left cannot lift a passage that has
        none of the others among the best.
        """
        import numpy as np

        start, end = self._queries.indptr[row : row + 2]
        order = np.argsort(self._frequent[self._queries.indices[start:end]], kind="stable")
        words, times = self._queries.indices[start:end][order], self._queries.data[start:end][order]
        rest = [*np.cumsum((times * self._most[words])[::-1])[::-1].tolist(), 0.0]
        found, bound, done = np.zeros(0, dtype=np.int64), 0.0, 0
        for word, count in zip(words.tolist(), times.tolist(), strict=True):
            if len(found) >= depth and rest[done] < bound:
                break
            first, last = self._by_word.indptr[word : word + 2]
            holders = self._by_word.indices[first:last]
            before = sums[holders]
            sums[holders] = before + count * self._by_word.data[first:last]
            found = np.concatenate((found, holders[before == 0]))
            done += 1
            if len(found) > depth:
                bound = float(np.partition(sums[found], len(found) - depth)[len(found) - depth])
        partial = sums[found]
        sums[found] = 0
        # As sums of 32 bits differ by their order, a hair's breadth below is still looked at.
        return found[partial + rest[done] >= bound * (1 - 1e-5)] if len(found) > depth else found

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


# What the model that is to be trained ranks high and is wrong: the hardest negatives.


class Dense(Strategy):
    """Search by inner product, with FAISS; vectors have length 1, so scores are cosines.

    Exact, but for many queries and passages at once where clusters find the same negatives.
    """

    name: ClassVar[str] = "dense"
    _passages: Floats
    _queries: Floats

    @cached_property
    def _encoder(self) -> Encoder:
        return self.surroundings.encoder()

    def index(self, passages: Sequence[str]) -> None:
        """Encode ``passages``."""
        self._passages = self._encoder.passages(passages)

    def search(self, queries: Sequence[str], depth: int) -> Ranked:
        """The ``depth`` passages of each query with the highest cosine."""
        self._queries = self._encoder.queries(queries)
        return exact(self._queries, self._passages, depth)

    def parts(
        self, queries: Sequence[str], depth: int, at_once: int, agreement: Agreement | None = None
    ) -> Iterator[tuple[Integers, Ranked]]:
        """The same for ``at_once`` queries after the other, all of them encoded together."""
        import numpy as np

        vectors, clusters, self.searched = self._encoder.queries(queries), None, None
        if agreement and pays(len(vectors), len(self._passages), depth):
            clusters = Clusters(self._passages, len(vectors), _SEED)
            self.searched = self._tried(clusters, vectors, depth, agreement)
        share = self.searched.share if self.searched else 1.0
        for start in range(0, len(vectors), at_once):
            rows = np.arange(start, min(start + at_once, len(vectors)))
            self._queries = vectors[start : start + at_once]
            if clusters is None or share == 1:
                yield rows, exact(self._queries, self._passages, depth)
            else:
                yield rows, clusters.search(self._queries, depth, share)

    def _tried(self, clusters: Clusters, vectors: Floats, depth: int, agreement: Agreement) -> Searched:
        """The smallest share of the passages that suffices, by a sample of the queries."""
        rows = sample(len(vectors))
        self._queries = vectors[rows]
        whole = exact(self._queries, self._passages, depth)
        tried = Searched(1.0, len(rows), 0.0, 0.0)
        for share in SHARES:
            part = clusters.search(self._queries, depth, share)
            tried = Searched(share, len(rows), agreement(rows, whole, part), _shared(whole.passages, part.passages))
            if tried.negatives >= SUFFICES:
                return tried
        return replace(tried, share=1.0)

    def scores(self, rows: Integers, passages: Integers) -> Floats:
        """Cosines of single pairs."""
        import numpy as np

        cosines: Floats = np.einsum("ij,ij->i", self._queries[rows], self._passages[passages])
        return cosines

    def identity(self) -> dict[str, Any]:
        """The model; the numbers that clusters begin with are always the same."""
        return {"encoder": self._encoder.identity()}


def _shared(wanted: Integers, found: Integers) -> float:
    """The share of ``wanted`` (queries, depth) that is in the same row of ``found``."""
    import numpy as np

    rows = np.arange(len(wanted))[:, None] << 32
    return float(np.isin(wanted + rows, found + rows)[wanted >= 0].mean())


# Any other passages: easy negatives, at no cost.


#: Passages drawn per query and wanted candidate are distinct; more than this many are never needed.
_MOST = 256


class Random(Strategy):
    """Draws without replacement for each query."""

    name: ClassVar[str] = "random"
    _size = 0
    _draw: Any  # numpy's Generator

    def index(self, passages: Sequence[str]) -> None:
        """Only their number counts."""
        import numpy as np

        self._size = len(passages)
        self._draw = np.random.default_rng(self.surroundings.seed)

    def search(self, queries: Sequence[str], depth: int) -> Ranked:
        """``depth`` (at most 256) different passages each, drawn by the seed; their scores mean nothing."""
        import numpy as np

        draw = self._draw
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
