"""Vectors in fewer bytes: what is measured of them is what a store of that kind would find."""

from __future__ import annotations

import numpy as np
import pytest

from tunewiz.backends.evaluate import MetricOptions, metrics
from tunewiz.backends.evaluate.metrics import rank
from tunewiz.backends.evaluate.smaller_vectors import MOST, Form, Searched, forms, measure_smaller

WANTED = MetricOptions(cutoffs=(1, 10), also=("ndcg@10",))


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def searched(width: int = 128, spread: float = 1.3) -> tuple[Searched, dict[str, dict[str, float]]]:
    """Forty queries, each near its own document of three hundred; the whole vectors' values beside it."""
    draw = np.random.default_rng(7)
    documents = unit(draw.normal(size=(300, width)))
    queries = unit(documents[:40] + spread * draw.normal(size=(40, width)) / np.sqrt(width) * 2)
    names, groups = [f"q{place}" for place in range(40)], [[f"d{place}"] for place in range(300)]
    qrels = {name: {f"d{place}": 1} for place, name in enumerate(names)}
    whole = rank(queries, names, documents, groups, 10)
    per_query = metrics.per_query(whole, qrels, metrics.metric_names(WANTED.cutoffs, WANTED.also))
    return Searched(queries, names, documents, groups, {}, qrels, 10), {
        name: dict(values) for name, values in per_query.items()
    }


def test_a_byte_a_number_finds_the_same_and_fewer_numbers_find_less() -> None:
    given, whole = searched()
    found = {(one["numbers"], one["bits"]): one for one in measure_smaller(given, whole, WANTED)}
    assert list(found) == [(64, 32), (128, 8), (128, 1)]
    assert [one["bytes"] for one in found.values()] == [256, 128, 16]
    assert found[128, 8]["difference"] == pytest.approx(0, abs=0.02)
    assert found[64, 32]["difference"] < -0.05
    mean = sum(values["ndcg@10"] for values in whole.values()) / len(whole)
    for one in found.values():
        assert one["metrics"]["ndcg@10"] == pytest.approx(mean + one["difference"])
        low, high = one["interval"]
        assert low <= one["difference"] <= high


def test_bits_are_signs_and_queries_stay_whole() -> None:
    """As sentence-transformers packs them, unpacked to plus and minus one."""
    from sentence_transformers.util import quantize_embeddings

    given, whole = searched()
    packed = quantize_embeddings(given.documents, precision="ubinary")
    signs = np.unpackbits(packed, axis=1).astype(np.float32) * 2 - 1
    expected = rank(given.queries, given.names, signs, given.groups, 10)
    values = metrics.per_query(expected, given.qrels, ["ndcg@10"])
    bits = measure_smaller(given, whole, WANTED)[-1]
    assert bits["metrics"]["ndcg@10"] == pytest.approx(sum(one["ndcg@10"] for one in values.values()) / len(values))


def test_lengths_that_training_went_for_are_measured_whatever_their_size() -> None:
    assert forms(128, (128, 64, 32)) == [Form(64, 32), Form(32, 32), Form(128, 8), Form(128, 1)]
    assert forms(32) == [Form(32, 8), Form(32, 1)]


def test_a_query_never_finds_itself_and_large_corpora_are_left_out() -> None:
    given, whole = searched()
    own = {name: frozenset({f"d{place}"}) for place, name in enumerate(given.names)}
    alone = Searched(given.queries, given.names, given.documents, given.groups, own, given.qrels, 10)
    assert all(one["metrics"]["recall@10"] == 0 for one in measure_smaller(alone, whole, WANTED))
    many = Searched(given.queries, given.names, np.zeros((MOST + 1, 1), np.float32), given.groups, {}, given.qrels, 10)
    assert measure_smaller(many, whole, WANTED) == []
