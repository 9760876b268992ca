from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tunewiz.data.formats import collections
from tunewiz.data.formats.format import Detection
from tunewiz.data.opening import detection, opened
from tunewiz.data.reading.discovery import discover, discover_files
from tunewiz.data.reading.source import Dataset
from tunewiz.data.rows.examples import Document, Group
from tunewiz.problems import BadData, Problem

CORPUS = [
    {"_id": "d1", "title": "One", "text": "first"},
    {"_id": "d2", "title": "", "text": "second"},
    {"_id": "d3", "title": "", "text": ""},
    {"_id": "d2", "title": "", "text": "again"},
]
QUERIES = [{"_id": "q1", "text": "what?"}, {"_id": "q2", "text": "who?"}, {"_id": "q3", "text": " "}]
TEST = "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\nq2\td2\t1\n"


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def folder(path: Path, **qrels: str) -> Path:
    (path / "qrels").mkdir(parents=True, exist_ok=True)
    (path / "corpus.jsonl").write_text(lines(CORPUS))
    (path / "queries.jsonl").write_text(lines(QUERIES))
    for split, text in qrels.items():
        (path / "qrels" / f"{split}.tsv").write_text(text)
    return path


def detected(path: Path, **said: Any) -> Detection:
    return detection.detect(discover(Dataset(str(path), **said)))


def codes(problems: list[Problem]) -> dict[str, int]:
    return dict(Counter(problem.code for problem in problems))


def test_a_beir_folder(tmp_path: Path) -> None:
    found = detected(folder(tmp_path, test=TEST, train=TEST))
    problems: list[Problem] = []
    assert found.format.name == "beir"
    assert set(opened.splits_of(found)) == {"test", "train"}
    whole = collections.collection(found, "test", problems.append)
    assert whole.corpus["d1"] == Document("first", "One")
    assert whole.corpus["d2"].text == "second"
    assert whole.queries == {"q1": "what?", "q2": "who?"}
    assert whole.qrels == {"q1": {"d1": 2, "d2": 0}, "q2": {"d2": 1}}
    assert codes(problems) == {"duplicate-id": 1, "empty-document": 1, "empty-query": 1}
    assert [(str(problem.where), problem.code) for problem in problems] == [
        (f"{tmp_path}/corpus.jsonl:3", "empty-document"),
        (f"{tmp_path}/corpus.jsonl:4", "duplicate-id"),
        (f"{tmp_path}/queries.jsonl:3", "empty-query"),
    ]


def test_judged_queries_as_groups(tmp_path: Path) -> None:
    found = detected(folder(tmp_path, train=TEST + "q1\td3\t1\n"))
    groups = list(collections.groups_from_qrels(found, "train", lambda _problem: None))
    assert groups == [
        Group("what?", ("One first",), ("second",), query_id="q1", positive_ids=("d1",), line=2),
        Group("who?", ("second",), query_id="q2", positive_ids=("d2",), line=4),
    ]
    assert list(opened.examples_of(found, [], lambda _problem: None)) == groups


def test_every_damage_of_qrels_is_named_with_its_line(tmp_path: Path) -> None:
    damaged = [
        *("q1\tnone\t1", "nobody\td1\t1", "q2 d1 1", "q2\td3", "q2\td3\tx", "q2\td3\t0.5", ""),
        *("q1\td1\t2", "q1\td1\t1", "q1\td1\t1\tmore", "\td1\t1"),
    ]
    text = TEST + "\n".join(damaged)
    found = detected(folder(tmp_path, test=text))
    problems: list[Problem] = []
    whole = collections.collection(found, "test", problems.append)
    of_qrels = [(p.code, p.severity, p.where.line) for p in problems if p.where.file.endswith("test.tsv")]
    assert sorted(of_qrels, key=lambda item: item[2]) == [
        ("unknown-document", "warning", 5),
        ("unknown-query", "warning", 6),
        ("spaces-for-tabs", "warning", 7),
        ("missing-score", "error", 8),
        ("bad-score", "error", 9),
        ("bad-score", "error", 10),
        ("blank-line", "warning", 11),
        ("duplicate-judgment", "warning", 12),
        ("conflicting-judgment", "warning", 13),
        ("ragged-row", "error", 14),
        ("missing-id", "error", 15),
    ]
    assert whole.qrels == {"q1": {"d1": 2, "d2": 0}, "q2": {"d2": 1, "d1": 1}}


@pytest.mark.parametrize(
    ("text", "qrels"),
    [
        ("q1 0 d1 1\nq2 Q0 d2 0\n", {"q1": {"d1": 1}, "q2": {"d2": 0}}),  # TREC
        ("q1\td1\t1\nq2\td2\t3\n", {"q1": {"d1": 1}, "q2": {"d2": 3}}),  # no header
        ("query_id,doc_id,relevance\nq1,d1,1\n", {"q1": {"d1": 1}}),
        ("corpus-id\tscore\tquery-id\nd1\t1\tq1\n", {"q1": {"d1": 1}}),
        ("query-id\tcorpus-id\nq1\td1\n", {"q1": {"d1": 1}}),
        ("\ufeffquery-id\tcorpus-id\tscore\r\nq1\td1\t1.0\r\n", {"q1": {"d1": 1}}),
    ],
)
def test_layouts_of_qrels(tmp_path: Path, text: str, qrels: dict[str, dict[str, int]]) -> None:
    problems: list[Problem] = []
    assert collections.qrels(detected(folder(tmp_path, test=text)), "test", problems.append) == qrels
    assert not problems


def test_other_files_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl.gz").write_bytes(gzip.compress(lines(CORPUS[:2]).encode()))
    (tmp_path / "queries.tsv").write_text("q1\twhat is it?\nq2\twho is it?\n")
    (tmp_path / "qrels.tsv").write_text(TEST)
    found = detected(tmp_path)
    assert opened.splits_of(found) == ("all",)
    whole = collections.collection(found, "all", lambda _problem: None)
    assert whole.queries == {"q1": "what is it?", "q2": "who is it?"}
    assert len(whole.corpus) == 2


def test_three_files_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "docs.csv").write_text("docno,body\nd1,first text\nd2,second text\n")
    (tmp_path / "asked.jsonl").write_text(lines([{"qid": "q1", "query": "what?"}]))
    (tmp_path / "rel.jsonl").write_text(lines([{"query-id": "q1", "corpus-id": "d2", "score": 2}]))
    source = discover_files(*(Dataset(str(tmp_path / name)) for name in ("docs.csv", "asked.jsonl", "rel.jsonl")))
    found = detection.detect(source)
    whole = collections.collection(found, "all", lambda _problem: None)
    assert whole.qrels == {"q1": {"d2": 2}}
    assert whole.corpus["d2"].text == "second text"
    assert whole.queries == {"q1": "what?"}


def test_splits_that_are_not_there(tmp_path: Path) -> None:
    found = detected(folder(tmp_path, test=TEST))
    with pytest.raises(BadData) as refused:
        collections.qrels(found, "train", lambda _problem: None)
    assert refused.value.problems[0].code == "unknown-split"
    assert "test" in refused.value.problems[0].line("en")


def test_judgments_of_another_collection_are_refused(tmp_path: Path) -> None:
    found = detected(folder(tmp_path, test="x1\ty1\t1\n"))
    with pytest.raises(BadData) as refused:
        collections.collection(found, "test", lambda _problem: None)
    assert refused.value.problems[0].code == "no-judgments"


def test_folders_that_are_no_collection(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text(lines(CORPUS))
    with pytest.raises(BadData) as refused:
        discover(Dataset(str(tmp_path)))
    assert refused.value.problems[0].code == "incomplete-collection"
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(BadData) as refused:
        discover(Dataset(str(other)))
    assert refused.value.problems[0].code == "no-data-file"
    (other / "train.csv").write_text("query,positive\na,b\n")
    assert discover(Dataset(str(other))).columns == ("query", "positive")
    (other / "test.csv").write_text("query,positive\na,b\n")
    assert discover(Dataset(str(other))).name.endswith("train.csv")
    assert discover(Dataset(str(other), split="test")).name.endswith("test.csv")
    (other / "train.jsonl").write_text('{"query": "a", "positive": "b"}\n')
    with pytest.raises(BadData) as refused:
        discover(Dataset(str(other)))
    assert refused.value.problems[0].code == "which-file"


def test_a_collection_in_the_folder_below_is_named(tmp_path: Path) -> None:
    folder(tmp_path / "beir", test=TEST)
    (tmp_path / "meta.json").write_text('{"a": 1}')
    with pytest.raises(BadData) as refused:
        discover(Dataset(str(tmp_path)))
    assert f"Did you mean {tmp_path}/beir?" in refused.value.problems[0].line("en")


def squad(**extra: Any) -> dict[str, Any]:
    asked = [{"id": "q1", "question": "what?", "answers": []}, {"id": "q2", "question": "", "answers": []}]
    first = {"context": "text one", "qas": asked}
    second = {"context": "text two", "qas": [{"id": "q3", "question": "who?", "is_impossible": True} | extra]}
    again = {"context": "text one", "qas": [{"question": "why?"}]}
    return {
        "version": "v2",
        "data": [{"title": "t", "paragraphs": [first, second]}, {"title": "u", "paragraphs": [again]}],
    }


def test_squad(tmp_path: Path) -> None:
    path = tmp_path / "dev.json"
    path.write_text(json.dumps(squad(), indent=1))
    found = detected(path)
    problems: list[Problem] = []
    whole = collections.collection(found, "all", problems.append)
    assert (found.format.name, opened.splits_of(found)) == ("squad", ("all",))
    assert {document.text for document in whole.corpus.values()} == {"text one", "text two"}
    assert whole.queries == {"q1": "what?", "q4": "why?"}
    assert len(set(map(str, whole.qrels.values()))) == 1
    assert codes(problems) == {"empty-query": 1}
    groups = list(collections.groups_from_qrels(found, "all", problems.append))
    assert [(group.query, group.positives) for group in groups] == [("what?", ("text one",)), ("why?", ("text one",))]


def test_cmrc_of_2018(tmp_path: Path) -> None:
    rows = [
        {
            "context_id": f"T{i}",
            "context_text": f"段落 {i}",
            "qas": [{"query_id": f"T{i}_0", "query_text": "什么？", "answers": ["x"]}],
        }
        for i in range(3)
    ]
    path = tmp_path / "cmrc.json"
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    whole = collections.collection(detected(path), "all", lambda _problem: None)
    assert whole.qrels["T1_0"] == {"T1": 1}
