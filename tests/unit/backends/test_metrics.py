"""Metrics: by hand, by pytrec_eval from the saved file, and with ties; refined, as those of all exact vectors."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from tunewiz.backends.evaluate.full_search import Ranking, Refined, refine
from tunewiz.backends.evaluate.metrics import (
    DEPTH,
    by_text,
    canonical,
    depth_of,
    means,
    metric_names,
    per_query,
    rank,
    read_run,
    write_run,
)

# Metrics: by hand, by pytrec_eval from the saved file, and with ties.


@pytest.mark.parametrize(
    ("given", "expected"), [("map", "map@100"), ("MRR", "mrr@100"), (" nDCG@10 ", "ndcg@10"), ("hit@5", "hit@5")]
)
def test_canonical_names(given: str, expected: str) -> None:
    assert canonical(given) == expected


@pytest.mark.parametrize("given", ["ndcg@0", "accuracy", "", "ndcg@", "map@-1"])
def test_what_is_no_metric(given: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        canonical(given)


def test_names_and_depth() -> None:
    assert metric_names([5, 1], ["map", "recall@200"])[-2:] == ["map@100", "recall@200"]
    assert depth_of(["recall@200", "ndcg@10"]) == 200
    assert depth_of([]) == DEPTH


def test_by_hand() -> None:
    rankings = {"q": [("a", 0.9), ("b", 0.8), ("c", 0.7), ("d", 0.6)]}
    qrels = {"q": {"b": 3, "d": 1, "x": 2, "a": 0}}
    found = per_query(rankings, qrels, metric_names([1, 2, 4]))["q"]
    ideal = 3 / math.log2(2) + 2 / math.log2(3) + 1 / math.log2(4)
    assert found["recall@4"] == pytest.approx(2 / 3)
    assert found["recall@1"] == 0
    assert found["mrr@1"] == 0
    assert found["mrr@2"] == found["mrr@4"] == pytest.approx(1 / 2)
    assert found["ndcg@4"] == pytest.approx((3 / math.log2(3) + 1 / math.log2(5)) / ideal)
    assert found["map@100"] == pytest.approx((1 / 2 + 2 / 4) / 3)


def test_queries_without_answer_are_left_out_and_those_that_found_nothing_count_zero() -> None:
    values = per_query({"a": [("d", 1.0)]}, {"a": {"d": 1}, "b": {"d": 1}, "c": {"d": 0}}, ["ndcg@10", "mrr@10"])
    assert values == {"a": {"ndcg@10": 1.0, "mrr@10": 1.0}, "b": {"ndcg@10": 0.0, "mrr@10": 0.0}}
    assert means(values) == {"ndcg@10": 0.5, "mrr@10": 0.5}
    assert means({}) == {}


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 40), st.integers(1, 30))
def test_search_is_exact(seed: int, asked: int, documents: int, depth: int) -> None:
    draw = np.random.default_rng(seed)
    queries, corpus = (unit(draw.normal(size=(count, 8))) for count in (asked, documents))
    groups = [[f"d{place}"] for place in range(documents)]
    rankings = rank(queries, [f"q{place}" for place in range(asked)], corpus, groups, depth)
    scores = queries @ corpus.T
    for place in range(asked):
        found = rankings[f"q{place}"]
        assert len(found) == min(depth, documents)
        assert [score for _, score in found] == pytest.approx(sorted(scores[place], reverse=True)[:depth], abs=1e-6)


@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_the_saved_file_gives_the_same_numbers_even_with_ties(seed: int, depth: int) -> None:
    draw = np.random.default_rng(seed)
    # Few different vectors of few different numbers: ties everywhere, at the edge of the ranking too.
    corpus = unit(draw.integers(1, 3, size=(12, 2)).astype(float))
    queries = unit(draw.integers(1, 3, size=(4, 2)).astype(float))
    groups = [[f"d{place}", f"e{place}"] for place in range(12)]
    asked = [f"q{place}" for place in range(4)]
    qrels = {name: {f"d{draw.integers(12)}": 1, f"e{draw.integers(12)}": 2} for name in asked}
    rankings = rank(queries, asked, corpus, groups, depth)
    assert all(found == sorted(found, key=lambda item: (item[1], item[0]), reverse=True) for found in rankings.values())
    # Whatever the depth, the first documents are those of the whole ranking.
    whole = rank(queries, asked, corpus, groups, 24)
    assert all(rankings[name] == whole[name][:depth] for name in asked)
    ours = per_query(rankings, qrels, ["ndcg@10", "recall@5", "map@100"])
    run = {name: dict(found) for name, found in rankings.items()}
    theirs = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10", "recall.5", "map_cut.100"}).evaluate(run)
    for name in asked:
        assert ours[name]["ndcg@10"] == theirs[name]["ndcg_cut_10"]
        assert ours[name]["recall@5"] == theirs[name]["recall_5"]
        assert ours[name]["map@100"] == theirs[name]["map_cut_100"]


def test_a_run_file_keeps_every_bit(tmp_path: Path) -> None:
    scores = np.random.default_rng(0).uniform(-1, 1, 200).astype(np.float32)
    rankings = {"问 1": [(f"文{place}", float(score)) for place, score in enumerate(scores)]}
    write_run(tmp_path / "before.run.tsv", rankings, "before")
    kept = read_run(tmp_path / "before.run.tsv")["问_1"]
    assert [np.float32(score) for _, score in kept] == list(scores)
    assert (tmp_path / "before.run.tsv").read_text("utf-8").splitlines()[0].split("\t")[3] == "1"


def test_equal_texts_are_grouped() -> None:
    assert by_text({"a": "x", "b": "y", "c": "x"}) == (["x", "y"], [["a", "c"], ["b"]])


# Refining: the metrics of a few exact vectors are those of all exact vectors.


METRICS = metric_names([1, 5, 10])


def unit_rows(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


class Case:
    """Queries near their relevant documents, in a corpus of noise; rough vectors are off by ``noise``."""

    def __init__(self, seed: int, documents: int, noise: float, asked: int = 6, size: int = 16) -> None:
        draw = np.random.default_rng(seed)
        self.exact = unit_rows(draw.normal(size=(documents, size)))
        self.rough = unit_rows(self.exact + draw.normal(scale=noise, size=self.exact.shape))
        self.relevant = [np.unique(draw.integers(0, documents, draw.integers(1, 6))) for _ in range(asked)]
        centres = np.stack([self.exact[rows].mean(axis=0) for rows in self.relevant])
        self.queries = unit_rows(centres + draw.normal(scale=0.3, size=centres.shape))
        grades = [{f"d{row}": int(draw.integers(1, 4)) for row in rows} for rows in self.relevant]
        self.qrels = {f"q{place}": judged for place, judged in enumerate(grades)}
        self.encoded: list[int] = []

    def encode(self, rows: np.ndarray) -> np.ndarray:
        self.encoded += rows.tolist()
        return self.exact[rows]

    def refined(self, depth: int, bound: float) -> Refined:
        return refine(self.rough, self.encode, Ranking(self.queries, self.relevant, depth), bound)

    def metrics(self, vectors: np.ndarray, depth: int) -> dict[str, dict[str, float]]:
        groups = [[f"d{row}"] for row in range(len(vectors))]
        return per_query(rank(self.queries, list(self.qrels), vectors, groups, depth), self.qrels, METRICS)


@given(st.integers(0, 2**32 - 1), st.integers(30, 400), st.floats(1e-5, 3e-3), st.sampled_from([10, 20, 100]))
def test_the_metrics_are_those_of_exact_vectors(seed: int, documents: int, noise: float, depth: int) -> None:
    case = Case(seed, documents, noise)
    worst = float(np.abs(case.queries @ (case.rough - case.exact).T).max())
    found = case.refined(depth, worst * 1.01)
    assert case.metrics(found.vectors, depth) == case.metrics(case.exact, depth)
    assert len(case.encoded) == len(set(case.encoded)) == int(found.exact.sum())


def test_a_bound_that_was_too_small_is_noticed() -> None:
    case = Case(1, 400, 3e-3)
    worst = float(np.abs(case.queries @ (case.rough - case.exact).T).max())
    found = case.refined(100, worst / 20)
    assert found.bound > worst / 20
    assert case.metrics(found.vectors, 100) == case.metrics(case.exact, 100)


def test_most_of_a_large_corpus_stays_rough() -> None:
    case = Case(2, 20_000, 2e-4, asked=4)
    found = case.refined(100, 1.5e-3)
    assert found.share < 0.15
    assert not np.array_equal(found.vectors, case.exact)
    assert case.metrics(found.vectors, 100) == case.metrics(case.exact, 100)


def test_too_rough_vectors_are_given_up() -> None:
    case = Case(3, 100, 0.2)
    assert case.refined(100, 0.01).bound > 0.02
