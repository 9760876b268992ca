"""Two stages: what the first finds and how far it reaches, and the order in which the reranker puts it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tunewiz.backends.evaluate import MetricOptions
from tunewiz.backends.evaluate.measuring import MeasureOptions
from tunewiz.backends.evaluate.search_share import SearchShare, choose_share
from tunewiz.backends.evaluate.two_stage import (
    TIMED,
    TwoStage,
    facts_of,
    measure_candidates,
    milliseconds,
    rerank_candidates,
    search_candidates,
)
from tunewiz.data.rows.examples import Collection, Document
from tunewiz.presets.sections.data import Candidates
from tunewiz.presets.tasks.reranker import RerankerPreset

CORPUS = {
    "a": Document("the disk is full"),
    "b": Document("the port is closed"),
    "c": Document("the disk is full"),
    "d": Document("a disk makes noise at night"),
    "e": Document("nothing of that kind"),
}


def collection(queries: dict[str, str], qrels: dict[str, dict[str, int]]) -> Collection:
    return Collection(CORPUS, queries, qrels)


def found(depth: int, given: Collection) -> Any:
    return search_candidates(Candidates(strategy="bm25", depth=depth), given, 0, MeasureOptions())


def test_a_search_by_words_finds_what_shares_one_best_first_and_equal_texts_under_all_their_ids() -> None:
    given = collection({"1": "disk full", "2": "closed port", "3": "unjudged disk"}, {"1": {"a": 1}, "2": {"b": 2}})
    searched = found(4, given)
    assert [key for key, _ in searched.rankings["1"]] == ["c", "a", "d"]
    assert [key for key, _ in searched.rankings["2"]] == ["b"]
    assert set(searched.rankings) == {"1", "2"}
    assert searched.milliseconds["p95"] >= searched.milliseconds["median"] > 0
    assert [key for key, _ in found(2, given).rankings["1"]] == ["c", "a"]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock finds it a second later."""
    ticks = count()
    for name in ("perf_counter", "monotonic"):
        monkeypatch.setattr(f"tunewiz.backends.evaluate.two_stage.time.{name}", lambda: float(next(ticks)))


def test_single_queries_are_timed(clock: None) -> None:
    given = collection({"1": "disk full", "2": "closed port"}, {"1": {"a": 1}, "2": {"b": 2}})
    assert found(4, given).milliseconds == {"median": 1000.0, "p95": 1000.0}
    scorer = Scorer(dict.fromkeys((document.text for document in CORPUS.values()), 1.0))
    measured = TwoStage({"1": [("a", 1.0)]}).measure(scorer, given, MetricOptions((1,)))  # type: ignore[arg-type]
    assert (measured.seconds, measured.facts["milliseconds"]["median"]) == (1.0, 1000.0)


def test_nothing_is_found_where_nothing_is_asked_or_searched() -> None:
    assert found(4, collection({"1": "disk"}, {"1": {"a": 0}})).rankings == {}
    assert found(4, Collection({}, {"1": "disk"}, {"1": {"a": 1}})).rankings == {}


def test_the_ceiling_is_the_recall_of_the_candidates() -> None:
    rankings = {"1": [("a", 3.0), ("d", 1.0)], "2": [("e", 1.0)], "3": []}
    qrels = {"1": {"a": 1, "b": 2, "d": 0}, "2": {"b": 1}, "3": {"c": 1}, "4": {"a": 1}}
    facts = facts_of(rankings, collection(dict.fromkeys("1234", "disk"), qrels), depth=7)
    assert facts == {"queries": 3, "documents": 5, "depth": 7, "ceiling": pytest.approx(1 / 6), "out_of_reach": 2}
    assert facts_of({}, collection({}, {}), 7)["ceiling"] == 0


def test_candidates_are_measured_in_their_own_order() -> None:
    given = collection({"1": "disk full", "2": "closed port"}, {"1": {"a": 1}, "2": {"e": 1}})
    measured = measure_candidates(found(4, given), given, MetricOptions((1, 2)), 4)
    assert measured.metrics["mrr@2"] == pytest.approx(0.25)  # "c" has the same text as "a" and stands before it
    assert (measured.facts["ceiling"], measured.facts["out_of_reach"]) == (0.5, 1)
    assert set(measured.facts["milliseconds"]) == {"median", "p95"}


def test_milliseconds_are_the_middle_and_the_slow_end() -> None:
    assert milliseconds([0.001 * value for value in range(101)]) == pytest.approx({"median": 50.0, "p95": 95.0})
    assert milliseconds([]) == {}


@dataclass
class Scorer:
    """Scores by a table; counts how it is asked."""

    table: dict[str, float]
    asked: list[int] = field(default_factory=list)
    model: Any = field(default_factory=lambda: SimpleNamespace(max_seq_length=48))
    options: Any = field(default_factory=lambda: SimpleNamespace(precision="fp32"))

    def quietly(self) -> Scorer:
        return self

    def scores(self, pairs: list[tuple[str, str]]) -> Any:
        self.asked.append(len(pairs))
        return np.array([self.table[document] for _, document in pairs], np.float32)


def test_the_reranker_decides_and_equal_scores_go_by_id_from_high_to_low() -> None:
    scorer = Scorer({"the disk is full": 1.0, "the port is closed": 2.0, "nothing of that kind": -1.0})
    candidates = {"1": [("e", 9.0), ("a", 5.0), ("c", 4.0), ("b", 3.0)], "2": [("a", 1.0)], "3": []}
    given = collection({"1": "disk", "2": "port", "3": "x"}, {"1": {"a": 1}, "2": {"a": 1}, "3": {"a": 1}})
    ranked = rerank_candidates(scorer, candidates, given)  # type: ignore[arg-type]
    assert ranked == {"1": [("b", 2.0), ("c", 1.0), ("a", 1.0), ("e", -1.0)], "2": [("a", 1.0)], "3": []}
    assert scorer.asked == [5]


def test_a_measurement_says_what_it_was_made_with() -> None:
    scorer = Scorer({document.text: -place for place, document in enumerate(CORPUS.values())} | {"the disk is full": 0})
    names = [str(number) for number in range(TIMED + 3)]
    candidates = {name: [("b", 2.0), ("a", 1.0)] for name in names}
    given = collection(dict.fromkeys(names, "disk"), {name: {"a": 1} for name in names})
    measured = TwoStage(candidates, 0.0).measure(scorer, given, MetricOptions((1,)))  # type: ignore[arg-type]
    assert measured.metrics["recall@1"] == 1.0
    timing = measured.facts.pop("milliseconds")
    assert measured.facts == {
        "queries": TIMED + 3,
        "documents": 5,
        "max_length": 48,
        "precision": "fp32",
        "search_share": 0.0,
    }
    assert scorer.asked == [2 * (TIMED + 3), *[2] * TIMED]
    assert timing["median"] > 0
    shared = TwoStage(candidates, 0.9).measure(scorer, given, MetricOptions((1,)))  # type: ignore[arg-type]
    assert (shared.metrics["recall@1"], shared.facts["search_share"]) == (0.0, 0.9)
    assert TwoStage().measure(scorer, given, MetricOptions((1,))).rankings == {}  # type: ignore[arg-type]


# How much the search counts, chosen by validation queries.


PRESET = RerankerPreset.model_validate(
    {
        "name": "x",
        "model": {"id": "x"},
        "data": {"train": "x.jsonl"},
        "candidates": {"depth": 4},
        "loss": "binary_cross_entropy",
    }
)


def chosen(table: dict[str, float], usual: float, wanted: str = "d", queries: int = 12) -> SearchShare:
    """For queries that all want the document; ``d`` the search finds after two others, ``c`` first."""
    names = [str(number) for number in range(queries)]
    given = collection(dict.fromkeys(names, "the disk is full"), {name: {wanted: 1} for name in names})
    found = choose_share(Scorer(table), PRESET, given, usual, MeasureOptions())  # type: ignore[arg-type]
    assert found is not None
    assert found.queries == queries
    return found


RIGHT = {document.text: float(document is CORPUS["d"]) for document in CORPUS.values()}
WRONG = {text: score if text != CORPUS["c"].text else -1.0 for text, score in RIGHT.items()}
#: Knows nothing: the search's order stands, whatever its share above zero.
LEVEL = {document.text: 1.0 for document in CORPUS.values()}


def test_a_reranker_that_knows_better_decides_alone_or_as_much_as_is_usual() -> None:
    assert chosen(RIGHT, usual=0.0).share == 0.0
    found = chosen(RIGHT, usual=0.5)
    assert found.share == 0.5 or found.means[found.share] > found.means[0.5]
    assert found.told("ndcg@10").severity == "note"


def test_the_search_alone_is_kept_where_the_reranker_makes_it_worse() -> None:
    for usual in (0.0, 0.5):
        found = chosen(WRONG, usual, "c")
        assert found.means[found.share] == max(found.means.values()) == found.means[1.0]
        assert found.means[usual] < found.means[1.0]
    problem = SearchShare(1.0, {0.0: 0.1, 1.0: 0.2}, 12).told("ndcg@10")
    assert problem.severity == "warning"
    assert "0: 0.1000, 1: 0.2000" in problem.message.text()


def test_what_measures_the_same_changes_nothing() -> None:
    assert chosen(LEVEL, usual=0.5).share == 0.5


def test_without_queries_nothing_is_chosen() -> None:
    assert choose_share(Scorer(RIGHT), PRESET, collection({}, {}), 0.5, MeasureOptions()) is None  # type: ignore[arg-type]
