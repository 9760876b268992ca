"""Inspection: what a dataset is and what is wrong with it, whatever it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tunewiz.data.inspection import Inspection, inspect
from tunewiz.data.reading.source import Dataset
from tunewiz.problems import Where

SHARED = Path(__file__).resolve().parents[4] / "shared" / "datasets"


def jsonl(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def places(found: Inspection) -> dict[str, list[int]]:
    return {finding.code: [problem.where.line for problem in finding.first] for finding in found.findings}


def test_pairs_with_every_kind_of_damage(tmp_path: Path) -> None:
    good = [{"query": f"{word} is asked for", "positive": f"{word} is answered"} for word in ("one", "two", "three")]
    rows = [
        *good,
        good[0],
        {"query": "Two is asked for!", "positive": "two  is answered"},
        {"query": "", "positive": "x"},
        {"query": "nothing answers", "positive": "  "},
        {"query": "same", "positive": "same"},
        {"query": "with markup", "positive": "<p>bold</p>"},
        {"query": "bell", "positive": "ding\x07"},
        {"query": "long", "positive": "word " * 700},
    ]
    found = inspect(Dataset(str(jsonl(tmp_path / "pairs.jsonl", rows))))
    assert found.format == "pairs"
    assert found.counts == {"rows": 11, "examples": 9}
    told = places(found)
    assert told.pop("columns-guessed", [0]) == [0]
    assert told == {
        "duplicate-row": [4],
        "near-duplicate-row": [5],
        "empty-query": [6],
        "empty-positive": [7],
        "query-equals-positive": [8],
        "html": [9],
        "control-characters": [10],
        "too-long": [11],
    }
    assert found.usable
    assert found.preview[0] == {"query": "one is asked for", "positive": "one is answered"}
    assert found.advice is not None
    assert {lengths.role: lengths.count for lengths in found.lengths} == {"query": 9, "positive": 9}


def test_tokens_are_counted_if_asked(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "pairs.jsonl", [{"query": "a b c", "positive": "d e f g"}] * 3)
    found = inspect(Dataset(str(path)), count=lambda texts: [len(text.split()) for text in texts], max_tokens=3)
    assert [lengths.tokens[50] for lengths in found.lengths] == [3, 4]
    assert all(lengths.exact for lengths in found.lengths)


def beir(folder: Path, qrels: dict[str, str]) -> Path:
    documents = [{"_id": f"d{number}", "title": "", "text": f"text number {number} of all"} for number in range(1, 6)]
    documents += [{"_id": "d6", "title": "", "text": "Text number 1 of all"}, {"_id": "d1", "title": "", "text": "x"}]
    queries = [{"_id": f"q{number}", "text": f"{word} asked"} for number, word in enumerate(("one", "two", "three"), 1)]
    (folder / "qrels").mkdir(parents=True)
    jsonl(folder / "corpus.jsonl", documents)
    jsonl(folder / "queries.jsonl", queries)
    for split, lines in qrels.items():
        text = "query-id\tcorpus-id\tscore\n" + lines
        (folder / "qrels" / f"{split}.tsv").write_text(text, encoding="utf-8")
    return folder


def test_a_test_collection(tmp_path: Path) -> None:
    folder = beir(
        tmp_path / "set",
        {"train": "q1\td1\t1\nq1\td9\t1\nq9\td1\t1\n", "test": "q1\td2\t1\nq2\td3\t0\n"},
    )
    found = inspect(Dataset(str(folder)))
    assert found.format == "beir"
    assert found.counts == {
        **{"documents": 6, "queries": 3, "queries:test": 2, "queries:train": 1},
        **{"judgments:test": 2, "judgments:train": 1},
    }
    told = {finding.code: finding.first[0] for finding in found.findings}
    where: dict[str, Where] = {code: problem.where for code, problem in told.items()}
    assert set(told) == {
        *("duplicate-id", "duplicate-document", "unknown-document", "unknown-query", "leak-query"),
        *("judged-only-negative", "query-without-judgments", "unused-documents"),
    }
    assert (Path(where["duplicate-id"].file).name, where["duplicate-id"].line) == ("corpus.jsonl", 7)
    assert where["duplicate-document"].line == 6
    assert (Path(where["unknown-document"].file).name, where["unknown-document"].line) == ("train.tsv", 3)
    assert where["unknown-query"].line == 4
    assert (Path(where["query-without-judgments"].file).name, where["query-without-judgments"].line) == (
        "queries.jsonl",
        3,
    )
    assert found.usable


def test_judgments_that_fit_nothing_are_an_error(tmp_path: Path) -> None:
    found = inspect(Dataset(str(beir(tmp_path / "set", {"test": "x\ty\t1\n"}))))
    assert not found.usable


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("empty.jsonl", "", "empty-file"),
        ("header.csv", "query,positive\n", "no-rows"),
        ("unclear.csv", "alpha,beta,gamma\nsome text here,other text there,more\n" * 3, "unmapped-columns"),
        ("broken.jsonl", '{"query": "a", "positive": "b"}\n{"query": "c", "pos', "bad-json"),
    ],
)
def test_what_cannot_be_used_is_an_error_finding(tmp_path: Path, name: str, text: str, code: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    found = inspect(Dataset(str(path)))
    assert code in places(found)
    assert not found.usable


def test_no_such_file() -> None:
    found = inspect(Dataset("no/such/file.csv"))
    assert places(found) == {"file-not-found": [0]}
    assert found.source is None


def test_rows_for_language_models(tmp_path: Path) -> None:
    turns = [
        [("user", "a question"), ("assistant", "an answer")],
        [("assistant", "hello"), ("user", "x")],
        [("user", "x"), ("user", "y"), ("assistant", "z")],
        [("system", "be kind"), ("user", "x")],
        [("user", "x"), ("assistant", " ")],
        [("Humanoid", "x"), ("assistant", "y")],
    ]
    rows = [{"messages": [{"role": role, "content": text} for role, text in talk]} for talk in turns]
    path = jsonl(tmp_path / "chat.jsonl", rows)
    found = inspect(Dataset(str(path)))
    assert found.format == "messages"
    assert (found.counts["rows"], found.counts["examples"]) == (6, 2)
    assert places(found) == {
        "repeated-role": [3],
        "no-answer": [2, 4],
        "empty-answer": [5],
        "unknown-role": [6],
        "llm-layout": [0],
        "columns-guessed": [0],
    }
    assert found.usable
    assert not inspect(Dataset(str(path)), task="embedding").usable


def test_json_on_one_line_goes_by_row_numbers(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    rows = [{"query": f"{word} question", "positive": word} for word in ("alpha", "beta", "gamma")]
    path.write_text(json.dumps([*rows, rows[1]]), encoding="utf-8")
    assert places(inspect(Dataset(str(path))))["duplicate-row"] == [4]


MESSY: dict[str, tuple[str, dict[str, str], dict[str, int]]] = {
    # file: format, mapping given, code -> how many
    "zh_gbk_excel.csv": ("pairs", {}, {"encoding-detected": 1}),
    "zh_utf8_bom.csv": ("pairs", {}, {}),
    "zh_utf16_tab.txt": ("alpaca", {}, {"encoding-detected": 1}),
    "zh_gb18030_emoji.csv": ("alpaca", {}, {"encoding-detected": 1}),
    "en_semicolon.csv": ("alpaca", {}, {"delimiter-detected": 1}),
    "zh_no_header.csv": ("pairs", {}, {"no-header": 1, "columns-uncertain": 1}),
    "broken.jsonl": (
        "alpaca",
        {},
        {"bad-json": 5, "trailing-comma": 5, "single-quotes": 5, "two-objects-on-a-line": 5, "blank-line": 5}
        | {"raw-newline": 5, "nan-literal": 5, "comment-line": 1},
    ),
    "mixed_schemas.jsonl": ("mixed", {}, {"mixed-rows": 1}),
    "sharegpt_bad_turns.json": (
        "sharegpt",
        {},
        {"repeated-role": 6, "no-answer": 12, "empty-answer": 6},
    ),
    "dup_empty_html_long.json": (
        "pairs",
        {"query": "instruction,input", "positive": "output"},
        {"html": 30, "too-long": 2},
    ),
    "single_object.json": ("alpaca", {}, {"rows-under-key": 1}),
    "concatenated.json": ("alpaca", {}, {}),
    "empty.jsonl": ("", {}, {"empty-file": 1}),
    "header_only.csv": ("triplets", {}, {"no-rows": 1}),
    "one_row.jsonl": ("alpaca", {}, {}),
    "triplets_dirty.jsonl": (
        "triplets",
        {},
        {"positive-among-negatives": 4, "empty-positive": 4, "empty-negative": 4, "swapped-row": 4},
    ),
    "pairs_label_zoo.csv": ("scored", {}, {"mixed-labels": 1, "label-word": 20, "missing-score": 10}),
    "qrels_dangling.tsv": ("", {}, {"part-of-collection": 1, "missing-score": 1, "bad-score": 1, "spaces-for-tabs": 1}),
}


@pytest.mark.skipif(not (SHARED / "messy_derived").is_dir(), reason="the shared datasets are not here")
@pytest.mark.parametrize("name", MESSY)
def test_the_damage_of_the_shared_files_is_found_and_counted(name: str) -> None:
    expected, mapping, damage = MESSY[name]
    found = inspect(Dataset(str(SHARED / "messy_derived" / name), columns=mapping))
    assert found.format == expected
    counts = {finding.code: finding.count for finding in found.findings}
    assert damage.items() <= counts.items()


@pytest.mark.skipif(not (SHARED / "messy_derived").is_dir(), reason="the shared datasets are not here")
def test_a_score_column_without_scores_is_no_score_column() -> None:
    columns = {"query": "instruction", "positive": "output"}
    found = inspect(Dataset(str(SHARED / "messy_derived" / "broken.jsonl"), columns=columns))
    assert (found.format, found.counts) == ("pairs", {"rows": 200, "examples": 200})


@pytest.mark.skipif(not (SHARED / "messy_derived").is_dir(), reason="the shared datasets are not here")
def test_repeated_and_empty_rows_of_the_shared_file() -> None:
    found = inspect(Dataset(str(SHARED / "messy_derived" / "dup_empty_html_long.json")))
    counts = {finding.code: finding.count for finding in found.findings}
    assert (counts["duplicate-row"], counts["near-duplicate-row"], counts["empty-answer"]) == (50, 10, 10)
    assert (counts["html"], counts["very-long"]) == (30, 2)


@pytest.mark.skipif(not (SHARED / "messy_derived").is_dir(), reason="the shared datasets are not here")
def test_dangling_judgments_against_their_collection(tmp_path: Path) -> None:
    cranfield = SHARED / "cranfield" / "beir"
    for name in ("corpus.jsonl", "queries.jsonl"):
        (tmp_path / name).symlink_to(cranfield / name)
    (tmp_path / "qrels.tsv").symlink_to(SHARED / "messy_derived" / "qrels_dangling.tsv")
    found = inspect(Dataset(str(tmp_path)))
    told = places(found)
    assert (told["unknown-document"], told["unknown-query"]) == ([3], [4])
    assert (told["spaces-for-tabs"], told["missing-score"], told["bad-score"]) == ([5], [6], [7])
    assert not found.usable
