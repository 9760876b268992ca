"""Metrics: by hand, by pytrec_eval from the saved file, and with ties."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from backends.evaluators.metrics import DEPTH, canonical, depth_of, means, names, per_query
from backends.evaluators.ranking import by_text, rank, read_run, write_run


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
    assert names([5, 1], ["map", "recall@200"])[-2:] == ["map@100", "recall@200"]
    assert depth_of(["recall@200", "ndcg@10"]) == 200
    assert depth_of([]) == DEPTH


def test_by_hand() -> None:
    rankings = {"q": [("a", 0.9), ("b", 0.8), ("c", 0.7), ("d", 0.6)]}
    qrels = {"q": {"b": 3, "d": 1, "x": 2, "a": 0}}
    found = per_query(rankings, qrels, names([1, 2, 4]))["q"]
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
