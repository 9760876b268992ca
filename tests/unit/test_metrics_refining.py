"""Refining: the metrics of a few exact vectors are those of all exact vectors."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backends.evaluators.metrics import names, per_query
from backends.evaluators.ranking import rank
from backends.evaluators.refining import Looked, Refined, refine

METRICS = names([1, 5, 10])


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


class Case:
    """Queries near their relevant documents, in a corpus of noise; rough vectors are off by ``noise``."""

    def __init__(self, seed: int, documents: int, noise: float, asked: int = 6, size: int = 16) -> None:
        draw = np.random.default_rng(seed)
        self.exact = unit(draw.normal(size=(documents, size)))
        self.rough = unit(self.exact + draw.normal(scale=noise, size=self.exact.shape))
        self.relevant = [np.unique(draw.integers(0, documents, draw.integers(1, 6))) for _ in range(asked)]
        centres = np.stack([self.exact[rows].mean(axis=0) for rows in self.relevant])
        self.queries = unit(centres + draw.normal(scale=0.3, size=centres.shape))
        grades = [{f"d{row}": int(draw.integers(1, 4)) for row in rows} for rows in self.relevant]
        self.qrels = {f"q{place}": judged for place, judged in enumerate(grades)}
        self.encoded: list[int] = []

    def encode(self, rows: np.ndarray) -> np.ndarray:
        self.encoded += rows.tolist()
        return self.exact[rows]

    def refined(self, depth: int, bound: float) -> Refined:
        return refine(self.rough, self.encode, Looked(self.queries, self.relevant, depth), bound)

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
