"""Search in the whole corpus, measured by pytrec_eval; large corpora with fewer exact vectors and the same metrics."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from tunewiz.backends.evaluate import Evaluator, Measurement, MetricOptions, metrics
from tunewiz.backends.evaluate.metrics import by_text, rank, without_own
from tunewiz.backends.evaluate.smaller_vectors import Searched, measure_smaller
from tunewiz.backends.machine.precision import choose
from tunewiz.backends.models.packing import available
from tunewiz.data.retrieval.own_documents import own_documents
from tunewiz.data.rows.examples import Collection

if TYPE_CHECKING:
    from tunewiz.backends.evaluate.metrics import Qrels, Rankings
    from tunewiz.backends.models.encoding import SearchEncoder, Vectors


# How far apart right and wrong pairs lie: cosines of judged pairs, random pairs, and the best unjudged ones.


QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)  # the middle half of the cosines, and all but the outermost tenth
BINS: Final = 200  # steps of 0.01 of a cosine: finer than a picture of eight inches shows
_MOST: Final = 20_000  # pairs of a kind; a share of them is then known to within 0.7 points (95 %)
_UNJUDGED: Final = 5  # of the best-ranked a query


def distributions(
    queries: Vectors,
    query_ids: Sequence[str],
    documents: Vectors,
    row_of: Mapping[str, int],
    qrels: Qrels,
    rankings: Rankings,
    seed: int,
) -> dict[str, Any]:
    """Count, mean, quantiles and histogram of the cosines of three kinds of pairs.

    ``positive``: judged relevant; ``random``: a query with a document drawn at random that is not relevant to it;
    ``hard``: the five best-ranked documents that are not relevant. Histograms have 200 bins from -1 to 1.
    """
    import numpy as np

    draw = np.random.default_rng(seed)
    positive: list[tuple[int, int]] = []
    chance: list[tuple[int, int]] = []
    hard: list[tuple[int, int]] = []
    for place, name in enumerate(query_ids):
        relevant = {row_of[key] for key, grade in qrels.get(name, {}).items() if grade > 0 and key in row_of}
        positive += [(place, row) for row in sorted(relevant)]
        drawn = draw.integers(0, len(documents), max(1, len(relevant))).tolist()
        chance += [(place, row) for row in drawn if row not in relevant]
        best = (row_of[key] for key, _ in rankings.get(name, ()))
        hard += [(place, row) for row in dict.fromkeys(best) if row not in relevant][:_UNJUDGED]
    kinds = {"positive": positive, "random": chance, "hard": hard}
    return {kind: _described(_cosines(queries, documents, pairs)) for kind, pairs in kinds.items()}


def _cosines(queries: Vectors, documents: Vectors, pairs: list[tuple[int, int]]) -> NDArray[np.float64]:
    import numpy as np

    if not pairs:
        return np.zeros(0)
    left, right = np.array(pairs[:: max(1, len(pairs) // _MOST)]).T
    cosines: NDArray[np.float64] = np.einsum(
        "ij,ij->i", queries[left].astype(np.float64), documents[right].astype(np.float64)
    )
    return cosines


def _described(cosines: NDArray[np.float64]) -> dict[str, Any]:
    import numpy as np

    histogram, _ = np.histogram(cosines.clip(-1, 1), BINS, (-1.0, 1.0))
    found = len(cosines) > 0
    return {
        "count": len(cosines),
        "mean": float(cosines.mean()) if found else None,
        "quantiles": dict(zip(map(str, QUANTILES), np.quantile(cosines, QUANTILES).tolist(), strict=True))
        if found
        else {},
        "histogram": histogram.tolist(),
    }


# The same metrics from fewer exact vectors, for corpora much larger than what is looked at.
#
# All documents are encoded in bf16, and in fp32 only those that can change a number: a metric depends on how many
# documents rank above each relevant one, and only down to the depth of the ranking. A document whose rough score is
# farther from a relevant document's exact score than rough scores can be wrong is on the same side of it either way.
# How wrong they can be is measured on a sample before, and on every document encoded twice; when that turns out more
# than assumed, the search for documents that matter is done again.
#
# Where it pays is decided beforehand, by size and by timing both precisions on the sample; it never does on small
# collections, where nearly every document is near a relevant one of some query.


Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]

#: Fewer documents than this are all encoded in fp32: of Cranfield's 1,400 about half lie within rounding of a relevant
#: one and would be encoded twice.
LEAST: Final = 3000
#: Documents encoded in both precisions beforehand: a tenth of LEAST, so that trying costs little where it does not pay.
SAMPLE: Final = 256
#: The bound on rough scores: this many standard deviations, and this many times the largest error seen. Of normal
#: errors one in 500 million is beyond six; half as much again as the worst seen covers tails that are not normal.
_DEVIATIONS: Final = 6.0
_SAFETY: Final = 1.5
#: A bound beyond this says that bf16 does not do for this model: it keeps two to three digits, and loses the second.
_LARGEST: Final = 0.02
#: Of the documents within reach of some query's ranking, the share that was contested (measured: 0.34 on NPL).
_CONTESTED: Final = 0.35
#: It has to save at least this share of the time: single timings spread by about as much (BENCHMARKS.md).
_WORTH: Final = 0.12
_QUERIES: Final = 64  # scored at once: 256 MB of scores a million documents


@dataclass(frozen=True)
class Ranking:
    """What is looked at: exact query vectors (n, d), the rows of each query's relevant documents, and how deep."""

    queries: Vectors
    relevant: Sequence[Rows]
    depth: int


@dataclass(frozen=True)
class Refined:
    """Vectors (m, d), which of them are exact, and the bound that held for the scores of the others."""

    vectors: Vectors
    exact: Flags
    bound: float

    @property
    def share(self) -> float:
        """Of documents encoded exactly."""
        return float(self.exact.mean()) if len(self.exact) else 1.0


def document_vectors(encoder: SearchEncoder, texts: Sequence[str], looked: Ranking) -> Refined:
    """Vectors of ``texts`` that give the metrics that exact ones would."""
    promising = encoder.cache is None and encoder.options.precision == "fp32" and _can_round(encoder)
    if not promising or len(texts) < LEAST or not len(looked.queries):
        return _all_exact(encoder, texts)
    # At most this share of the documents is within the depth of any query; of those _CONTESTED are encoded again.
    reach = min(1.0, len(looked.queries) * looked.depth / len(texts))
    rough_encoder = replace(encoder, options=replace(encoder.options, precision="bf16"))
    sample = np.random.default_rng(0).choice(len(texts), SAMPLE, replace=False)
    some = [texts[row] for row in sample]
    exact, slow = _timed(encoder, some)
    rough, fast = _timed(rough_encoder, some)
    bound = _bound(looked.queries @ (rough - exact).T)
    if fast / slow + _CONTESTED * reach > 1 - _WORTH or bound > _LARGEST:
        return _all_exact(encoder, texts)
    vectors = rough_encoder.passages(texts)
    quiet = encoder.with_progress(lambda _done, _total: None)
    found = refine(vectors, lambda rows: quiet.passages([texts[row] for row in rows]), looked, bound)
    return found if found.bound <= _LARGEST else _all_exact(encoder, texts)


def _can_round(encoder: SearchEncoder) -> bool:
    kind = encoder.model.device.type
    return choose("auto", str(encoder.model.device))[0] == "bf16" and (kind != "cpu" or available("bf16"))


def _all_exact(encoder: SearchEncoder, texts: Sequence[str]) -> Refined:
    return Refined(encoder.passages(texts), np.ones(len(texts), np.bool_), 0.0)


def _timed(encoder: SearchEncoder, texts: Sequence[str]) -> tuple[Vectors, float]:
    begun = time.perf_counter()
    vectors = encoder.with_progress(lambda _done, _total: None).passages(texts)
    return vectors, time.perf_counter() - begun


def refine(rough: Vectors, exact: Callable[[Rows], Vectors], looked: Ranking, bound: float) -> Refined:
    """Replace by ``exact(rows)`` those rows of ``rough`` (m, d) that can change a metric.

    ``bound`` is what scores of rough vectors are assumed to be wrong by at most; it grows when that proves too little.
    """
    vectors = rough.copy()
    done = np.zeros(len(rough), np.bool_)
    while bound <= _LARGEST:
        wanted = np.flatnonzero(_contested(vectors, done, looked, bound) & ~done)
        if not len(wanted):
            break
        vectors[wanted] = exact(wanted)
        done[wanted] = True
        errors = looked.queries @ (rough[wanted] - vectors[wanted]).T
        bound = max(bound, _SAFETY * float(np.abs(errors).max()))
    return Refined(vectors, done, bound)


def _bound(errors: NDArray[np.float32]) -> float:
    return max(_DEVIATIONS * float(errors.std()), _SAFETY * float(np.abs(errors).max()), 1e-6)  # never below fp32's own


def _contested(vectors: Vectors, exact: Flags, looked: Ranking, bound: float) -> Flags:
    """Relevant documents that may be within the depth, and documents that may be on either side of one."""
    contested = np.zeros(len(vectors), np.bool_)
    depth = min(looked.depth, len(vectors))
    for start in range(0, len(looked.queries), _QUERIES):
        scores = looked.queries[start : start + _QUERIES] @ vectors.T
        # The last score within the depth: whatever is surely below it counts for nothing.
        edges = np.partition(scores, len(vectors) - depth, axis=1)[:, len(vectors) - depth]
        for row, edge in zip(scores, edges, strict=True):
            relevant = looked.relevant[start]
            start += 1
            near = relevant[row[relevant] >= edge - 2 * bound]
            contested[near] = True
            certain = np.sort(row[near[exact[near]]])
            if len(certain):
                contested |= _distance(row, certain) <= bound
    return contested


def _distance(scores: NDArray[np.float32], marks: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far each score is from the nearest of ``marks`` (sorted)."""
    after = np.searchsorted(marks, scores).clip(0, len(marks) - 1)
    before = (after - 1).clip(0)
    nearest: NDArray[np.float32] = np.minimum(np.abs(scores - marks[after]), np.abs(scores - marks[before]))
    return nearest


# Search in the whole corpus, measured by pytrec_eval.


class Retrieval(Evaluator["SearchEncoder"]):
    """Recall@k, MRR@k, nDCG@k and MAP of exact cosine search, for every query with a relevant document."""

    name: ClassVar[str] = "retrieval"

    def measure(self, model: SearchEncoder, collection: Collection, wanted: MetricOptions) -> Measurement:
        """Encode queries and corpus (each text once), rank, evaluate. Progress counts both kinds of texts together."""
        begun, encoder = time.monotonic(), model
        asked = judged_queries(collection)
        texts, groups = by_text({name: document.full for name, document in collection.corpus.items()})
        total = len(asked) + len(texts)
        outer = encoder.progress
        queries = encoder.with_progress(lambda done, _: outer(done, total)).queries(list(asked.values()))
        listed = metrics.metric_names(wanted.cutoffs, wanted.also)
        depth = metrics.depth_of(listed)
        own = own_documents(collection)
        reach = depth + max(map(len, own.values()), default=0)
        qrels = {name: collection.qrels[name] for name in asked}
        row_of = {name: row for row, names in enumerate(groups) for name in names}
        looked = Ranking(queries, [_rows(grades, row_of) for grades in qrels.values()], reach)
        telling = encoder.with_progress(lambda done, _: outer(len(asked) + done, total))
        refined = document_vectors(telling, texts, looked)
        documents = refined.vectors
        every = rank(queries, list(asked), documents, groups, reach) if asked else {}
        rankings = without_own(every, own, depth)
        per_query = metrics.per_query(rankings, qrels, listed)
        facts = {
            "queries": len(asked),
            "documents": len(collection.corpus),
            "max_length": encoder.model.max_seq_length,
            "precision": encoder.options.precision,
            "exact_share": refined.share,
            "cosines": distributions(queries, list(asked), documents, row_of, qrels, rankings, wanted.seed),
        }
        if wanted.smaller is not None:
            searched = Searched(queries, list(asked), documents, groups, own, qrels, depth)
            facts["smaller"] = measure_smaller(searched, per_query, wanted, wanted.smaller)
        seconds = time.monotonic() - begun
        return Measurement(metrics.means(per_query), per_query, rankings, facts, seconds)


def _rows(grades: Mapping[str, int], row_of: Mapping[str, int]) -> Rows:
    """The rows of the documents judged relevant that are in the corpus."""
    return np.array(sorted({row_of[key] for key, grade in grades.items() if grade > 0 and key in row_of}), np.int64)


def judged_queries(collection: Collection) -> dict[str, str]:
    """The queries that have a text and a relevant document; the others cannot be measured."""
    return {
        name: text
        for name, text in collection.queries.items()
        if any(grade > 0 for grade in collection.qrels.get(name, {}).values())
    }
