"""Negatives of many queries at once: clusters in place of exact search, only where they find the same, and told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.children.training_setup import events, new_run
from tunewiz.backends.negatives import Surroundings, catalogue, nearest
from tunewiz.backends.negatives.mining import mine, passages, with_negatives
from tunewiz.backends.runs.events import Noticed
from tunewiz.data.retrieval.prepared import Prepared
from tunewiz.data.rows.examples import Collection, Document, Group
from tunewiz.data.text.duplicates import normal
from tunewiz.presets.sections.data import Negatives

TOPICS, PASSAGES, QUERIES = 60, 3000, 1500
OPTIONS = Negatives(strategy="dense", per_query=4, candidates=40)


class Drawn:
    """Vectors drawn by what the text says: around the topic that it names, or (``spread``) around nothing."""

    def __init__(self, spread: bool = False) -> None:
        self._centres = np.random.default_rng(5).standard_normal((TOPICS, 48)) * (0 if spread else 1)

    def queries(self, texts: Sequence[str]) -> Any:
        rows = []
        for text in texts:
            kind, number, topic = text.split()[:3]
            own = np.random.default_rng(int(number)).standard_normal(48)
            noise = np.random.default_rng(int(number) + (7 << 20) * (kind == "query")).standard_normal(48)
            rows.append(self._centres[int(topic)] + 0.6 * own + 0.3 * noise)
        vectors = np.array(rows, dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    passages = queries

    def identity(self) -> str:
        return "drawn"


def world() -> tuple[list[Group], list[tuple[str, str]]]:
    """Passages of topics of unlike sizes, and queries for half of them."""
    topics = (np.random.default_rng(1).random(PASSAGES) ** 2 * TOPICS).astype(int).tolist()
    corpus = [(str(n), f"passage {n} {topic} of the {n * 7919 % 1009}") for n, topic in enumerate(topics)]
    groups = [
        Group(f"query {n} {topics[n]} which", (corpus[n][1],), query_id=str(n), positive_ids=(str(n),))
        for n in range(0, 2 * QUERIES, 2)
    ]
    return groups, corpus


def mined(encoder: Any) -> tuple[list[list[int]], Any]:
    groups, corpus = world()
    strategy = catalogue()["dense"](Surroundings(0, lambda: encoder))
    return mine(groups, passages(groups, corpus), strategy, OPTIONS)[0], strategy.searched


def agreement(found: list[list[int]], wanted: list[list[int]]) -> float:
    return sum(len(set(a) & set(b)) for a, b in zip(found, wanted, strict=True)) / sum(map(len, wanted))


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if these were too many to be compared one by one."""
    monkeypatch.setattr(nearest, "_FEW", 0)


def test_few_are_compared_one_by_one() -> None:
    assert mined(Drawn())[1] is None
    assert nearest.pays(10_000, 11_000, 110) and not nearest.pays(1000, 11_000, 110)
    assert not nearest.pays(10, 10_000_000, 110) and not nearest.pays(10_000_000, 500, 110)


def test_clusters_find_what_exact_search_finds(large: None, monkeypatch: pytest.MonkeyPatch) -> None:
    found, searched = mined(Drawn())
    assert searched.share < 1 and searched.negatives >= 0.95 and searched.sample == 512
    assert mined(Drawn()) == (found, searched)
    monkeypatch.setattr(nearest, "_FEW", 1 << 60)
    wanted, _ = mined(Drawn())
    assert agreement(found, wanted) >= 0.93  # the sample says 0.95, give or take 0.01
    assert sum(map(len, found)) >= 0.99 * sum(map(len, wanted))
    groups, corpus = world()
    pool = passages(groups, corpus)
    assert not any(pool.by_text[normal(group.positives[0])] in some for group, some in zip(groups, found, strict=True))


def test_where_nothing_is_clustered_all_are_compared(large: None, monkeypatch: pytest.MonkeyPatch) -> None:
    found, searched = mined(Drawn(spread=True))
    assert searched.share == 1 and searched.negatives < 0.95
    monkeypatch.setattr(nearest, "_FEW", 1 << 60)
    assert found == mined(Drawn(spread=True))[0]


def test_a_run_tells_how_it_searched_and_again_from_the_cache(large: None, tmp_path: Path) -> None:
    groups, corpus = world()
    collection = Collection({name: Document(text) for name, text in corpus})
    rows = Prepared("groups", groups=groups, evaluation=collection, corpus="given")
    for name in ("first", "second"):
        run = new_run(tmp_path, name)
        with_negatives(run, rows, OPTIONS, 1, Drawn, cache=tmp_path / "cache")
        told = {event.problem["code"]: event.problem for event in events(run) if isinstance(event, Noticed)}
        assert "queries that were compared with all, this found 9" in str(told["negatives-searched"])
    assert "negatives-cached" in told


def test_the_best_of_a_part_are_in_order_and_have_exact_scores() -> None:
    draw = np.random.default_rng(0)
    vectors = draw.standard_normal((400, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    clusters = nearest.Clusters(vectors, 90, 0)
    queries = vectors[[3, 80, 4]]
    whole, part = nearest.exact(queries, vectors, 20), clusters.search(queries, 20, 1.0)
    assert np.array_equal(whole.passages, part.passages) and np.allclose(whole.scores, part.scores)
    few = clusters.search(queries, 20, 0.25)
    assert few.passages[:, 0].tolist() == [3, 80, 4]  # each is nearest to itself
    assert (np.diff(few.scores, axis=1) <= 0).all() and (few.passages >= 0).all()
    assert np.allclose(few.scores, np.einsum("id,ijd->ij", queries, vectors[few.passages]), atol=1e-6)
    least = clusters.search(queries, 400, 0.1)
    assert (least.passages[:, -1] == -1).all() and (least.scores[least.passages == -1] == 0).all()
