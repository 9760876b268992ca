"""Collections made of training data, leaks between training and evaluation, and prepared data on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunewiz.data.retrieval.built_corpus import Passages, collection_from_groups, collection_from_pairs
from tunewiz.data.retrieval.prepared import Prepared, load, save
from tunewiz.data.retrieval.splitting import leaks
from tunewiz.data.rows.examples import Collection, Document, Group, ScoredPair, scale_of
from tunewiz.problems import BadData


def test_equal_passages_are_one_document_and_equal_queries_one_query() -> None:
    held = [Group("What is it?", ("Answer.", "More")), Group("what is it", ("Third",), ("Answer", "no"))]
    made = collection_from_groups(held, [Group("other", ("Fourth",), ("third",))])
    assert [item.text for item in made.corpus.values()] == ["Answer.", "More", "Third", "no", "Fourth"]
    assert list(made.queries.values()) == ["What is it?"]
    assert list(made.qrels.values()) == [{"d1": 1, "d2": 1, "d3": 1}]


def test_ids_of_the_data_are_kept_where_they_are_free() -> None:
    held = [
        Group("first question", ("one",), query_id="q2", positive_ids=("d9",)),
        Group("second question", ("two",)),
        Group("third question", ("three",), query_id="q2", positive_ids=("d9",)),
    ]
    made = collection_from_groups(held, [])
    assert list(made.queries) == ["q2", "q3", "q4"]
    assert {name: item.text for name, item in made.corpus.items()} == {"d9": "one", "d2": "two", "d3": "three"}


def test_a_given_corpus_is_found_by_text_with_or_without_title() -> None:
    passages = Passages({"a": Document("Body", "Title"), "b": Document("Other")})
    assert passages.add("title body") == "a"
    assert passages.add("Body") == "a"
    assert passages.add("new") == "d3"


def test_pairs_become_graded_judgments() -> None:
    held = [
        ScoredPair("q", "good", 3),
        ScoredPair("q", "fair", 1),
        ScoredPair("q", "bad", 0),
        ScoredPair("r", "bad", 0),
    ]
    made = collection_from_pairs(held, [ScoredPair("s", "more", 2)])
    assert len(made.corpus) == 4
    assert list(made.queries.values()) == ["q"]
    assert made.qrels == {"q1": {"d1": 3, "d2": 1}}


def test_the_grades_of_a_scale_up_to_two_are_kept_too() -> None:
    held = [ScoredPair("q", f"text {score}", score) for score in (0, 1, 2)]
    assert collection_from_pairs(held, []).qrels == {"q1": {"d2": 1, "d3": 2}}


def test_pairs_are_searched_in_a_given_corpus() -> None:
    passages = Passages({"a": Document("good"), "b": Document("unseen")})
    made = collection_from_pairs([ScoredPair("q", "Good!", 1), ScoredPair("q", "other", 0)], [], passages)
    assert made.qrels == {"q1": {"a": 1}}
    assert set(made.corpus) == {"a", "b", "d3"}


def test_similarities_are_relevant_from_the_middle_on() -> None:
    made = collection_from_pairs([ScoredPair("a", "b", 0.9), ScoredPair("a", "c", 0.4)], [])
    assert made.qrels == {"q1": {"d1": 1}}
    assert collection_from_pairs([], []) == Collection()


@pytest.mark.parametrize(
    ("scores", "floor", "top", "middle"),
    [
        ([0, 1], 0, 1, 0.5),
        ([-0.2, 1], -1, 1, 0),
        ([0, 3], 0, 3, 1),
        ([1, 2.4, 5], 0, 5, 2.5),
        ([0, 80], 0, 100, 50),
    ],
)
def test_scales(scores: list[float], floor: float, top: float, middle: float) -> None:
    scale = scale_of(scores)
    assert (scale.floor, scale.top, scale.middle, scale.odd) == (floor, top, middle, None)


def test_leaks_name_the_training_row() -> None:
    train = [
        Group("How do I reset my password?", ("p1",), line=4),
        Group("Where do I find the invoices of my account", ("p2",), line=5),
    ]
    evaluation = Collection(
        {"a": Document("P1"), "b": Document("unseen")},
        {"1": "how do i reset my password", "2": "Where do I find the invoice of my account", "3": "Something new"},
        {"1": {"a": 1}, "2": {"b": 1}, "3": {"b": 1}},
    )
    told = {problem.code: problem for problem in leaks(train, evaluation, "train.csv")}
    assert set(told) == {"leak-query", "leak-near-query", "leak-document"}
    assert str(told["leak-query"].where) == "train.csv:4"
    assert str(told["leak-near-query"].where) == "train.csv:5"
    assert (told["leak-document"].severity, told["leak-document"].message.values["count"]) == ("note", 1)


def test_what_is_alike_within_the_evaluation_or_was_judged_wrong_is_no_leak() -> None:
    train = [Group("How do I reset my password?", ("It is in the settings.",), line=4)]
    evaluation = Collection(
        {"a": Document("It is in the settings"), "b": Document("unseen")},
        {"1": "Where do I find the invoice of my account", "2": "Where do I find the invoices of my account"},
        {"1": {"a": 0, "b": 1}, "2": {"b": 1}},
    )
    assert list(leaks(train, evaluation, "train.csv")) == []
    told = list(leaks([*train, Group("How do I reset my passwords", ("other",), line=9)], evaluation, "train.csv"))
    assert told == []


@pytest.mark.parametrize("shape", ["groups", "scored"])
def test_prepared_data_goes_and_comes(tmp_path: Path, shape: str) -> None:
    group = Group("查询", ("p\u2028q", "p2"), ("n",), (0.5, 1.0), (0.1,), "7", ("a", "b"), "Find:", 3)
    pair = ScoredPair("a\nb", "c", 0.25, 9)
    evaluation = Collection({"d1": Document("text", "title")}, {"q1": "q"}, {"q1": {"d1": 2}})
    prepared = Prepared(
        shape="groups" if shape == "groups" else "scored",
        groups=[group] if shape == "groups" else [],
        pairs=[pair] if shape == "scored" else [],
        validation_groups=[Group("v", ("p",))] if shape == "groups" else [],
        evaluation=evaluation,
        corpus="built",
        counts={"train": 1},
        hashes={"f.csv": "00"},
    )
    save(prepared, tmp_path)
    assert load(tmp_path) == prepared
    assert (tmp_path / "qrels.tsv").read_text() == "query-id\tcorpus-id\tscore\nq1\td1\t2\n"


def test_damaged_prepared_data_is_explained(tmp_path: Path) -> None:
    with pytest.raises(BadData) as fault:
        load(tmp_path)
    assert fault.value.problems[0].code == "prepared-data-missing"


PARTS = ("train.jsonl", "validation.jsonl", "corpus.jsonl", "queries.jsonl", "qrels.tsv", "counts.json")


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("content", ["", "[]\n", "null\n", "5\n", "{}\n", "x\n", "[" * 100_000, "\0"])
def test_an_empty_or_foreign_part_of_prepared_data_is_explained(tmp_path: Path, part: str, content: str) -> None:
    group = Group("q", ("p",), ("n",))
    evaluation = Collection({"d1": Document("text", "title")}, {"q1": "q"}, {"q1": {"d1": 2}})
    counts = {"train": 1, "validation": 1, "documents": 1, "evaluation_queries": 1, "judgments": 1}
    save(Prepared("groups", groups=[group], validation_groups=[group], evaluation=evaluation, counts=counts), tmp_path)
    load(tmp_path)
    (tmp_path / part).write_text(content, encoding="utf-8")
    with pytest.raises(BadData) as fault:
        load(tmp_path)
    assert [problem.code for problem in fault.value.problems] == ["prepared-data-missing"]
