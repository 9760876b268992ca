"""BGE-M3's other ways to search, measured on the same queries: word weights, token vectors, and all three together.

Word weights (``sparse``) search the whole corpus. Token vectors (``multi_vector``, ColBERT's late interaction) and the
sum of all (``all``) order the first :data:`DEPTH` documents of the dense and of the sparse search, as token vectors of
a whole corpus would not fit into memory.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tunewiz.backends.engines.flag_embedding.flag_models import TunedEncoder
from tunewiz.backends.evaluate import Measurement, MetricOptions, metrics
from tunewiz.backends.evaluate.full_search import judged_queries
from tunewiz.backends.evaluate.measuring import MeasureOptions
from tunewiz.backends.evaluate.metrics import best, by_text, without_own
from tunewiz.backends.evaluate.two_stage import measure_rankings
from tunewiz.backends.models.batching import by_length
from tunewiz.backends.models.encoding import token_ids
from tunewiz.backends.models.loading import prompts
from tunewiz.data.retrieval.own_documents import own_documents
from tunewiz.data.rows.examples import Collection

WAYS: Final = ("sparse", "multi_vector", "all")
DEPTH: Final = 100  # documents of each first way whose tokens are compared: as deep as average precision looks
#: Of dense, sparse and multi-vector scores in their sum: those that the unified loss trains (``ensemble_score``).
WEIGHTS: Final = (1.0, 0.3, 1.0)
#: The library writes a row as long as the vocabulary for each text: 32 rows of BGE-M3 are 32 MB.
_TEXTS, _TOKENS = 32, 8192

Numbers = NDArray[np.float32]


@dataclass(frozen=True)
class _Encoded:
    """Texts in order: unit vectors, word weights (a row each, scipy CSR), and unit vectors of their tokens if kept."""

    dense: Numbers
    sparse: Any
    tokens: list[Numbers]


def measure_ways(
    model: TunedEncoder, collection: Collection, wanted: MetricOptions, options: MeasureOptions
) -> Mapping[str, Measurement]:
    """Each of :data:`WAYS`. ``model`` has M3's heads; tokens are cut as its encoder cuts them."""
    begun = time.monotonic()
    asked, (texts, groups) = (
        judged_queries(collection),
        by_text({key: one.full for key, one in collection.corpus.items()}),
    )
    before_query, before_passage = prompts(model.encoder)
    model.model.eval()
    queries = _whole(model, [before_query + text for text in asked.values()], options, tokens=True)
    passages = [before_passage + text for text in texts]
    documents = _whole(model, passages, options)
    dense = [documents.dense @ vector for vector in queries.dense]
    sparse = [_dot(documents.sparse, row) for row in queries.sparse]
    near = [np.union1d(_top(one, DEPTH), _top(other, DEPTH)) for one, other in zip(dense, sparse, strict=True)]
    multi = _late(model, passages, near, queries.tokens, options)
    summed = [
        WEIGHTS[0] * one[rows] + WEIGHTS[1] * other[rows] + WEIGHTS[2] * late
        for one, other, late, rows in zip(dense, sparse, multi, near, strict=True)
    ]
    depth = metrics.depth_of(metrics.metric_names(wanted.cutoffs, wanted.also))
    own = own_documents(collection)
    reach = depth + max(map(len, own.values()), default=0)
    first = [_top(scores, reach) for scores in sparse]
    found = {
        "sparse": [(rows, scores[rows]) for rows, scores in zip(first, sparse, strict=True)],
        "multi_vector": list(zip(near, multi, strict=True)),
        "all": list(zip(near, summed, strict=True)),
    }
    ways = {}
    for way, scored in found.items():
        pairs = (zip(rows.tolist(), scores.tolist(), strict=True) for rows, scores in scored)
        every = {name: best(some, groups, reach) for name, some in zip(asked, pairs, strict=True)}
        rankings = without_own(every, own, depth)
        per_query, means = measure_rankings(rankings, collection, wanted)
        ways[way] = Measurement(means, per_query, rankings, {"queries": len(asked)}, time.monotonic() - begun)
    return ways


def _whole(model: TunedEncoder, texts: Sequence[str], options: MeasureOptions, tokens: bool = False) -> _Encoded:
    """All ``texts``; token vectors only where they are asked for."""
    from scipy.sparse import csr_matrix, vstack

    rows: list[Any] = [None] * len(texts)
    vectors: list[Any] = [None] * len(texts)
    late: list[Any] = [None] * len(texts)
    for places, dense, sparse, own in _batches(model, texts, options):
        weights = csr_matrix(sparse)
        for number, place in enumerate(places):
            vectors[place], rows[place] = dense[number], weights[number]
            late[place] = own[number] if tokens else None
    return _Encoded(np.stack(vectors), vstack(rows).tocsr(), late if tokens else [])


def _batches(
    model: TunedEncoder, texts: Sequence[str], options: MeasureOptions
) -> Iterator[tuple[NDArray[np.int64], Numbers, Numbers, list[Numbers]]]:
    """Places of some texts, with their vectors, word weights and token vectors; texts of one length together."""
    import torch

    encoder = model.encoder
    ids = token_ids(encoder, list(texts))
    done = 0
    for batch in by_length(ids, list(map(len, ids)), _TOKENS, _TEXTS):
        options.check_stop()
        padded = encoder.tokenizer.pad({"input_ids": batch.inputs}, padding=True, return_tensors="pt")
        features = {name: tensor.to(encoder.device) for name, tensor in padded.items()}
        with torch.inference_mode():
            dense, sparse, late = (part.float().cpu().numpy() for part in model.model.encode(features))
        # The first token of a text stands for the whole and has no vector of its own.
        own = [vectors[: len(one) - 1] for vectors, one in zip(late, batch.inputs, strict=True)]
        done += len(batch.inputs)
        options.progress(done, len(texts))
        yield batch.places, dense, sparse, own


def _late(
    model: TunedEncoder,
    passages: Sequence[str],
    near: list[NDArray[np.int64]],
    queries: list[Numbers],
    options: MeasureOptions,
) -> list[Numbers]:
    """For each query the scores of the documents ``near`` it: the mean over its tokens of their best match there."""
    scores = [np.zeros(len(rows), np.float32) for rows in near]
    wanted: dict[int, list[tuple[int, int]]] = {}
    for query, rows in enumerate(near):
        for place, row in enumerate(rows.tolist()):
            wanted.setdefault(row, []).append((query, place))
    needed = sorted(wanted)
    for places, _dense, _sparse, own in _batches(model, [passages[row] for row in needed], options):
        for number, vectors in zip(places.tolist(), own, strict=True):
            for query, place in wanted[needed[number]]:
                scores[query][place] = (queries[query] @ vectors.T).max(axis=1).mean() if len(vectors) else 0.0
    return scores


def _dot(documents: Any, row: Any) -> Numbers:
    scores: Numbers = np.asarray((documents @ row.T).todense(), np.float32).ravel()
    return scores


def _top(scores: Numbers, depth: int) -> NDArray[np.int64]:
    """The places of the ``depth`` highest scores, in no order."""
    if len(scores) <= depth:
        return np.arange(len(scores), dtype=np.int64)
    return np.argpartition(-scores, depth - 1)[:depth].astype(np.int64)
