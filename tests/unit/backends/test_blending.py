"""The scores of a search and of a reranker in one order."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tunewiz.backends.evaluate.two_stage import blend_scores, rerank_candidates
from tunewiz.data.rows.examples import Collection, Document


def test_without_a_share_the_reranker_decides_alone() -> None:
    assert blend_scores([3.0, 1.0], [0.1, 0.2], 0.0) == [0.1, 0.2]


def test_scales_do_not_matter() -> None:
    small, large = (
        blend_scores([3.0, 2.0, 1.0], [0.1, 0.2, 0.6], 0.5),
        blend_scores([300.0, 200.0, 100.0], [10.0, 20.0, 60.0], 0.5),
    )
    assert small == pytest.approx(large)
    assert sum(small) == pytest.approx(0.0)


def test_a_larger_share_comes_closer_to_the_search() -> None:
    search, reranker = [3.0, 2.0, 1.0], [0.0, 1.0, 5.0]

    def order(share: float) -> list[int]:
        scores = blend_scores(search, reranker, share)
        return sorted(range(3), key=lambda place: -scores[place])

    assert order(0.1) == [2, 1, 0]
    assert order(0.9) == [0, 1, 2]


def test_equal_scores_say_nothing() -> None:
    assert blend_scores([2.0, 2.0], [1.0, 3.0], 0.5) == pytest.approx([-0.5, 0.5])
    assert blend_scores([], [], 0.5) == []


class _Longer:
    """A scorer that likes long documents."""

    def scores(self, pairs: list[tuple[str, str]]) -> NDArray[np.float32]:
        return np.array([len(document) for _, document in pairs], np.float32)


def test_candidates_are_ordered_by_both() -> None:
    corpus = {"a": Document("x"), "b": Document("xxxx"), "c": Document("xx")}
    collection = Collection(corpus, {"q": "query"}, {"q": {"a": 1}})
    candidates = {"q": [("a", 9.0), ("b", 3.0), ("c", 0.0)]}

    def order(share: float) -> list[str]:
        return [key for key, _ in rerank_candidates(_Longer(), candidates, collection, share)["q"]]  # type: ignore[arg-type]

    assert order(0.0) == ["b", "c", "a"]
    assert order(0.5) == ["b", "a", "c"]
    assert order(0.9) == ["a", "b", "c"]
