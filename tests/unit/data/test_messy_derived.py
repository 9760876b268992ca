"""The damaged files of the shared datasets are recognised as their manifest says. Skipped where they are not there;
the same kinds of damage are tested on files of our own in the tests beside this one.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tunewiz.data.formats import collections
from tunewiz.data.opening import detection, opened
from tunewiz.data.reading.discovery import discover, discover_files
from tunewiz.data.reading.records import read
from tunewiz.data.reading.source import Dataset
from tunewiz.problems import BadData, Problem

ROOT = Path(__file__).resolve().parents[4] / "shared" / "datasets"
FOLDER = ROOT / "messy_derived"
MANIFEST: dict[str, dict[str, Any]] = (
    json.loads((FOLDER / "MANIFEST.json").read_text(encoding="utf-8")) if FOLDER.is_dir() else {}
)
pytestmark = pytest.mark.skipif(not MANIFEST, reason="the shared datasets are not here")
READABLE = [name for name, said in MANIFEST.items() if said["bytes"] and not name.startswith("qrels")]
CODES = {
    "truncated": "bad-json",
    "trailing_comma": "trailing-comma",
    "single_quote": "single-quotes",
    "two_on_line": "two-objects-on-a-line",
    "blank": "blank-line",
    "raw_newline": "raw-newline",
    "nan": "nan-literal",
    "comment": "comment-line",
}


def codes(problems: list[Problem]) -> Counter[str]:
    return Counter(problem.code for problem in problems)


@pytest.mark.parametrize("name", READABLE)
def test_layout_and_rows(name: str) -> None:
    said = MANIFEST[name]
    source = discover(Dataset(str(FOLDER / name)))
    problems: list[Problem] = []
    rows = list(read(source, problems.append))
    assert source.size == said["bytes"]
    for field in ("encoding", "newline", "delimiter", "header"):
        if field in said:
            assert getattr(source, field) == said[field]
    assert len(rows) == said.get("rows", said.get("source_rows", len(rows)))
    assert not any("\ufeff" in column for column in source.columns)
    if name != "broken.jsonl":
        assert problems == []


def test_every_broken_line_is_named() -> None:
    problems: list[Problem] = []
    list(read(discover(Dataset(str(FOLDER / "broken.jsonl"))), problems.append))
    assert codes(problems) == {CODES[kind]: count for kind, count in MANIFEST["broken.jsonl"]["damage"].items()}
    assert all(problem.where.line for problem in problems)


def test_an_empty_file_and_a_header_alone() -> None:
    with pytest.raises(BadData) as refused:
        discover(Dataset(str(FOLDER / "empty.jsonl")))
    assert refused.value.problems[0].code == "empty-file"
    found = detection.detect(discover(Dataset(str(FOLDER / "header_only.csv"))))
    assert "no-rows" in codes(list(found.problems))


def test_mixed_schemas_are_counted() -> None:
    with pytest.raises(BadData) as refused:
        detection.detect(discover(Dataset(str(FOLDER / "mixed_schemas.jsonl"))))
    mixed = next(problem for problem in refused.value.problems if problem.code == "mixed-rows")
    assert mixed.message.values["count"] == MANIFEST["mixed_schemas.jsonl"]["schemas"]


def test_triplets_and_labels() -> None:
    problems: list[Problem] = []
    damage = MANIFEST["triplets_dirty.jsonl"]["damage"]
    found = detection.detect(discover(Dataset(str(FOLDER / "triplets_dirty.jsonl"))))
    groups = list(opened.examples_of(found, read(found.source, problems.append), problems.append))
    assert found.format.name == "triplets"
    assert codes(problems) == {"empty-positive": damage["empty_positive"], "empty-negative": damage["missing_negative"]}
    assert len(groups) == MANIFEST["triplets_dirty.jsonl"]["rows"] - damage["empty_positive"]
    problems.clear()
    found = detection.detect(discover(Dataset(str(FOLDER / "pairs_label_zoo.csv"))))
    pairs = list(opened.examples_of(found, read(found.source, problems.append), problems.append))
    assert found.format.name == "scored"
    assert "mixed-labels" in codes(list(found.problems))
    assert codes(problems) == {"label-word": 20, "missing-score": 10}
    assert {pair.score for pair in pairs} == {0, 1, 2, 3}


def test_dangling_judgments() -> None:
    parts = (ROOT / "cranfield/beir/corpus.jsonl", ROOT / "cranfield/beir/queries.jsonl", FOLDER / "qrels_dangling.tsv")
    found = detection.detect(discover_files(*(Dataset(str(part)) for part in parts)))
    problems: list[Problem] = []
    whole = collections.collection(found, "all", problems.append)
    of_qrels = [problem for problem in problems if problem.where.file.endswith("qrels_dangling.tsv")]
    # Ids that nothing has are told last, once it is known in what they differ from those that there are.
    assert [(one.code, one.where.line) for one in sorted(of_qrels, key=lambda one: one.where.line)] == [
        ("unknown-document", 3),
        ("unknown-query", 4),
        ("spaces-for-tabs", 5),
        ("missing-score", 6),
        ("bad-score", 7),
    ]
    assert whole.qrels == {"1": {"184": 2}, "2": {"12": 1}}


#: File, format (or the code of the refusal), examples.
OTHERS = [
    ("covid_faq_en/raw/faq_covidbert.csv", "pairs", 213),
    ("covid_faq_en/raw/eval_question_similarity_en.csv", "scored", 488),
    ("covid_faq_en/pairs_rerank.jsonl", "scored", 488),
    ("text2vec_bge_zh/raw/bge_finetune_data.jsonl", "query_pos_neg", 2701),
    ("text2vec_bge_zh/raw/stsbenchmark.tsv.gz", "scored", 8628),
    ("text2vec_bge_zh/raw/dd-test.jsonl", "scored", 500),
    ("text2vec_bge_zh/triplets_train.jsonl", "triplets", 2430),
    ("flagembedding_toy/raw/nq.jsonl", "query_pos_neg", 10),
    ("rocketqa_zh/rerank.jsonl", "scored", 100),
    ("rocketqa_zh/raw/cross.train.tsv", "scored", 100),
    ("rocketqa_zh/raw/dual.train.tsv", "unmapped-columns", 0),
    ("messy_cp1252_spam/raw/spam.csv", "unmapped-columns", 0),
    ("banking77/raw/train.csv", "unmapped-columns", 0),
    ("banking77/raw/categories.json", "no-columns", 0),
    ("llamafactory_demo/raw/alpaca_zh_demo.json", "llm-layout", 0),
    ("llamafactory_demo/raw/kto_en_demo.json", "llm-layout", 0),
    ("medicalgpt_sft/sharegpt_zh_900.jsonl", "llm-layout", 0),
    ("format_zoo_msswift/raw/swift_single.csv", "llm-layout", 0),
    ("cmrc2018/raw/cmrc2018_trial.json", "squad", 1000),
    ("vaswani_npl/beir", "beir", 47),
]


@pytest.mark.parametrize(("name", "what", "count"), OTHERS)
def test_other_shared_datasets(name: str, what: str, count: int) -> None:
    try:
        found = detection.detect(discover(Dataset(str(ROOT / name))))
    except BadData as refused:
        assert refused.problems[0].code == what
        return
    problems: list[Problem] = []
    assert found.format.name == what
    rows = [] if found.format.shape == "collection" else read(found.source, problems.append)
    assert len(list(opened.examples_of(found, rows, problems.append))) == count
    assert not [problem for problem in problems if problem.severity == "error"]


def test_windows_text_is_told_from_chinese() -> None:
    source = discover(Dataset(str(ROOT / "messy_cp1252_spam/raw/spam.csv")))
    assert (source.encoding, source.columns) == ("cp1252", ("v1", "v2", "column_3", "column_4", "column_5"))
    assert sum(1 for _ in read(source, lambda problem: pytest.fail(problem.line("en")))) == 5572
