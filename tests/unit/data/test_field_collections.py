"""Test collections as people have them: other names and endings, one JSON file, odd grades and ids, own documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.data.test_field_retrieval import ANSWERS, PAIRS, THINGS, codes, jsonl, looked, told
from tunewiz.data.inspection import fix
from tunewiz.data.opening import opened
from tunewiz.data.reading.source import Dataset
from tunewiz.data.retrieval.own_documents import own_documents
from tunewiz.data.retrieval.prepare import Plan, Prepared, prepare
from tunewiz.data.rows.examples import Collection, Document
from tunewiz.problems import Problem

QUERIES = {f"q{place}": query for place, (query, _) in enumerate(PAIRS)}
ANSWERED = [answer.format(thing) for thing in THINGS for answer in ANSWERS]
CORPUS = {f"d{place}": answer for place, answer in enumerate(ANSWERED)}
JUDGED = [(f"q{place}", f"d{ANSWERED.index(answer)}") for place, (_, answer) in enumerate(PAIRS)]


def beir(folder: Path, qrels: str, name: str = "qrels/test.tsv") -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    jsonl(folder / "corpus.jsonl", [{"_id": key, "title": "", "text": text} for key, text in CORPUS.items()])
    jsonl(folder / "queries.jsonl", [{"_id": key, "text": text} for key, text in QUERIES.items()])
    (folder / name).write_text(qrels, "utf-8")
    return folder


def collection(path: Path, split: str, **said: Any) -> Collection:
    told_: list[Problem] = []
    data = opened.open_dataset(Dataset(str(path), **said), told_.append)
    return opened.read_collection(data, split, told_.append)


def prepared(path: Path, **said: Any) -> tuple[Prepared, dict[str, Problem]]:
    told_: list[Problem] = []
    made = prepare(Plan(Dataset(str(path)), **said), told_.append)
    return made, {problem.code: problem for problem in told_}


@pytest.mark.parametrize(
    "name", ["qrels/test.qrel", "qrels/test.qrels", "qrels.test.trec", "test.qrel", "qrels.test.txt"]
)
def test_endings_of_trec(tmp_path: Path, name: str) -> None:
    folder = beir(tmp_path / "set", "".join(f"{query} 0 {document} 1\n" for query, document in JUDGED), name)
    assert collection(folder, "test").qrels == {query: {document: 1} for query, document in JUDGED}
    assert looked(folder).usable


def marco(folder: Path, *, named: bool) -> Path:
    """A folder with MS MARCO's names, or T2Ranking's, whose files name their columns."""
    folder.mkdir()
    head = ("pid\ttext\n", "qid\ttext\n", "qid\t-\tpid\trel\n") if named else ("", "", "")
    (folder / "collection.tsv").write_text(head[0] + "".join(f"{k}\t{v}\n" for k, v in CORPUS.items()), "utf-8")
    for split, part in (("train", JUDGED[:20]), ("dev" if named else "dev.small", JUDGED[20:])):
        lines = "".join(f"{query}\t{QUERIES[query]}\n" for query, _ in part)
        (folder / f"queries.{split}.tsv").write_text(head[1] + lines, "utf-8")
        lines = "".join(f"{query}\t0\t{document}\t1\n" for query, document in part)
        (folder / f"qrels.{split}.tsv").write_text(head[2] + lines, "utf-8")
    return folder


@pytest.mark.parametrize("named", [False, True])
def test_splits_in_files_of_their_own(tmp_path: Path, named: bool) -> None:
    folder = marco(tmp_path / "set", named=named)
    assert len(collection(folder, "train").queries) == 20
    made, _ = prepared(folder)
    assert (made.counts["train"], made.counts["evaluation_queries"], made.counts["documents"]) == (20, 12, len(CORPUS))


def test_a_split_is_known_by_a_part_of_its_name(tmp_path: Path) -> None:
    folder = marco(tmp_path / "set", named=True)
    for split in ("train", "dev"):
        (folder / f"qrels.{split}.tsv").rename(folder / f"qrels.retrieval.{split}.tsv")
    made, _ = prepared(folder)
    assert (made.counts["train"], made.counts["evaluation_queries"]) == (20, 12)


@pytest.mark.parametrize("names", [("queries", "corpus", "relevant_docs"), ("fragen", "texte", "urteile")])
@pytest.mark.parametrize("indent", [None, 1])
def test_one_json_file_is_a_collection(tmp_path: Path, names: tuple[str, str, str], indent: int | None) -> None:
    held = dict(zip(names, (QUERIES, CORPUS, {query: [document] for query, document in JUDGED}), strict=True))
    path = tmp_path / "qa.json"
    path.write_text(json.dumps(held | {"mode": "text"}, indent=indent), "utf-8")
    assert collection(path, "all").qrels == {query: {document: 1} for query, document in JUDGED}
    graded = {query: {document: 2, "d0": 0} for query, document in JUDGED}
    path.write_text(json.dumps(held | {names[2]: graded}, indent=indent), "utf-8")
    assert set(collection(path, "all").qrels["q3"].values()) == {0, 2}
    made, _ = prepared(path, fraction=0.3)
    assert made.groups and made.evaluation.queries


def test_grades_that_are_fractions(tmp_path: Path) -> None:
    lines = [f"{query}\t{document}\t{0.5 if place % 2 else 1.0}\n" for place, (query, document) in enumerate(JUDGED)]
    folder = beir(tmp_path / "set", "query-id\tcorpus-id\tscore\n" + "".join(lines))
    found = looked(folder)
    assert codes(found)[0] == "fractional-grades" and "--labels 0.5=1,1=2" in told(found, "fractional-grades")
    whole = looked(folder, labels={"0.5": 1, "1": 2})
    assert whole.usable and whole.counts["judgments:test"] == len(JUDGED)
    assert collection(folder, "test", labels={"0.5": 1, "1": 2}).qrels["q0"] == {"d0": 2}
    fixed = fix(Dataset(str(folder)), tmp_path / "fixed")
    assert [lost.text("en") for lost in fixed.lost] == ["16 of 32 judgments were left out."]


@pytest.mark.parametrize(
    ("write", "why"),
    [(lambda name: f"{name[1:]}.0", "decimals"), (str.upper, "capitals"), (lambda name: name[1:], "bare numbers")],
)
def test_ids_that_are_written_in_two_ways(tmp_path: Path, write: Any, why: str) -> None:
    folder = beir(tmp_path / "set", "".join(f"{write(query)}\t{document}\t1\n" for query, document in JUDGED))
    if why == "decimals":
        jsonl(folder / "queries.jsonl", [{"_id": key[1:], "text": text} for key, text in QUERIES.items()])
    found = looked(folder)
    line = told(found, "no-usable-rows")
    assert f"ids like {write('q0')}" in line and why in line


def test_a_query_does_not_find_its_own_document() -> None:
    texts = {name: Document(text) for name, text in QUERIES.items()}
    qrels = {name: {f"q{(place + 1) % len(texts)}": 1} for place, name in enumerate(texts)}
    same = own_documents(Collection(texts, QUERIES, qrels))
    assert same == {name: frozenset({name}) for name in QUERIES}
    renamed = {f"p{name}": document for name, document in texts.items()}
    assert own_documents(Collection(renamed, QUERIES, qrels))["q3"] == {"pq3"}
    judged = own_documents(Collection(texts, QUERIES, {**qrels, "q3": {"q3": 1}}))
    assert "q3" not in judged and "q4" in judged


def test_numbers_from_nought_in_two_files_are_not_one_thing() -> None:
    corpus = {str(place): Document(text) for place, text in enumerate(CORPUS.values())}
    queries = {str(place): query for place, query in enumerate(QUERIES.values())}
    assert own_documents(Collection(corpus, queries, {"0": {"5": 1}})) == {}


def test_what_makes_a_measure_weak_is_told_before_the_start(tmp_path: Path) -> None:
    one = jsonl(tmp_path / "one.jsonl", [{"query": query, "positive": "Please open a ticket."} for query, _ in PAIRS])
    assert "one-answer" in codes(looked(one), "warning")
    _, found = prepared(one, fraction=0.3)
    assert {"one-answer", "few-queries", "few-documents"} <= set(found)
    many = jsonl(
        tmp_path / "many.jsonl", [{"query": f"{q} {n}", "positive": f"{a} {n}"} for n in range(9) for q, a in PAIRS]
    )
    _, found = prepared(many, fraction=0.3)
    assert not {"one-answer", "few-queries", "few-documents"} & set(found)


def test_keys_that_are_data_take_no_time(tmp_path: Path) -> None:
    rows = [{f"key {place} {number}": f"text {number}" for number in range(2000)} for place in range(200)]
    found = looked(jsonl(tmp_path / "wide.jsonl", rows))
    assert codes(found, "error") == ["unmapped-columns"]
    named = [{**row, "query": query, "positive": answer} for row, (query, answer) in zip(rows, PAIRS, strict=False)]
    assert looked(jsonl(tmp_path / "named.jsonl", named)).counts["examples"] == len(PAIRS)


@pytest.mark.parametrize("judgments", ["qrels", "default"])
def test_a_collection_in_folders_of_shards(tmp_path: Path, judgments: str) -> None:
    """As hubs keep BEIR's and MTEB's collections: a folder for each part, parquet in it."""
    table = pytest.importorskip("pyarrow.parquet")
    arrow = pytest.importorskip("pyarrow")
    half = len(CORPUS) // 2
    documents = [{"_id": key, "title": "", "text": text} for key, text in CORPUS.items()]
    parts = {
        "corpus/corpus-00000-of-00002.parquet": documents[:half],
        "corpus/corpus-00001-of-00002.parquet": documents[half:],
        "queries/queries-00000-of-00001.parquet": [{"_id": key, "text": text} for key, text in QUERIES.items()],
        f"{judgments}/test-00000-of-00001.parquet": [
            {"query-id": query, "corpus-id": document, "score": 1} for query, document in JUDGED
        ],
    }
    for name, rows in parts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        table.write_table(arrow.Table.from_pylist(rows), tmp_path / name)
    found = collection(tmp_path, "test")
    assert found.corpus.keys() == CORPUS.keys()
    assert found.queries == QUERIES
    assert {(query, document) for query, judged in found.qrels.items() for document in judged} == set(JUDGED)
