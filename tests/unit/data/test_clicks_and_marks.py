"""Logs of clicks, and objects that say which of them are right: grades and marks are seen, never passed over."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tunewiz.data.inspection import Inspection, inspect
from tunewiz.data.reading.expressions import value_at
from tunewiz.data.reading.source import Dataset

QUERIES = ("red running shoes", "男士防水夹克", "thick yoga mat", "手动咖啡磨豆机")
ROWS = [
    (QUERIES[n // 3], f"article {chr(97 + n)} with free delivery and a warranty of two years", n % 3) for n in range(12)
]


def table(path: Path, heading: Sequence[str], rows: Sequence[Sequence[Any]]) -> Inspection:
    text = "".join(",".join(map(str, row)) + "\n" for row in (heading, *rows))
    path.write_text(text, encoding="utf-8")
    return inspect(Dataset(str(path)), task="reranker")


def codes(found: Inspection) -> set[str]:
    return {finding.code for finding in found.findings}


@pytest.mark.parametrize(
    ("heading", "texts"),
    [
        (("time", "query", "clicked_doc", "clicks"), ("query", "clicked_doc")),
        (("ts", "search_query", "clicked_document", "num_clicks"), ("search_query", "clicked_document")),
        (("时间", "查询", "点击文档", "点击次数"), ("查询", "点击文档")),
        (("position", "query", "title", "clicked"), ("query", "title")),
        (("rank", "search_term", "product_title", "clicks"), ("search_term", "product_title")),
        (("展示位置", "搜索词", "商品标题", "是否点击"), ("搜索词", "商品标题")),
        (("时间", "关键词", "文档", "点击"), ("关键词", "文档")),
    ],
)
def test_clicks_are_grades(tmp_path: Path, heading: Sequence[str], texts: tuple[str, str]) -> None:
    places = [
        n % 3 + 1 if heading[0] in ("position", "rank", "展示位置") else f"2024-05-01 10:{n:02}" for n in range(12)
    ]
    top = 1 if heading[3] in ("clicked", "是否点击", "点击") else 2
    rows = [(place, query, text, min(clicks, top)) for place, (query, text, clicks) in zip(places, ROWS, strict=True)]
    found = table(tmp_path / "log.csv", heading, rows)
    assert found.usable
    assert found.detection
    assert found.detection.mapping == {"sentence1": (texts[0],), "sentence2": (texts[1],), "score": (heading[3],)}
    assert "clicks-as-grades" in codes(found)
    assert found.preview[2] == {"first": QUERIES[0], "second": ROWS[2][1], "score": str(top)}
    mapping = {"sentence1": texts[0], "sentence2": texts[1], "score": heading[3]}
    assert "clicks-as-grades" not in codes(
        inspect(Dataset(str(tmp_path / "log.csv"), columns=mapping), task="reranker")
    )


def test_a_log_of_clicked_documents_alone_holds_right_answers(tmp_path: Path) -> None:
    found = table(
        tmp_path / "log.csv",
        ("time", "query", "clicked_doc", "clicks"),
        [(n, *row[:2], 1) for n, row in enumerate(ROWS)],
    )
    assert found.format == "pairs"
    assert found.counts["examples"] == 12


def test_ids_of_documents_are_no_texts(tmp_path: Path) -> None:
    rows = [(n, query, f"d{n}", clicks) for n, (query, _, clicks) in enumerate(ROWS)]
    found = table(tmp_path / "log.csv", ("time", "query", "clicked_doc", "clicks"), rows)
    assert "ids-for-texts" in codes(found)
    ids = [(f"q{n // 3}", f"d{n}", n % 3, clicks) for n, (_, _, clicks) in enumerate(ROWS)]
    assert "part-of-collection" in codes(
        table(tmp_path / "ids.csv", ("query_id", "doc_id", "position", "clicked"), ids)
    )


def test_where_a_document_stood_is_never_advised_as_a_score(tmp_path: Path) -> None:
    rows = [(f"x{query}", f"y{text}", n % 3 + 1) for n, (query, text, _) in enumerate(ROWS)]
    found = table(tmp_path / "log.csv", ("alpha", "beta", "position"), rows)
    assert "score=position" not in "".join(finding.first[0].line("en") for finding in found.findings)


def objects(mark: str, right: Any, wrong: Any) -> list[dict[str, Any]]:
    return [
        {
            "question": f"{query}, {n}?",
            "ctx": [{"text": f"{text} {place}", mark: right if place == 1 else wrong} for place in range(3)],
        }
        for n, (query, text, _) in enumerate(ROWS)
    ]


def lines(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("mark", "right", "wrong"),
    [
        ("gold", True, False),
        ("is_gold", 1, 0),
        ("relevant", "yes", "no"),
        ("positive", True, None),
        ("label", 1, 0),
        ("label", "相关", "不相关"),
        ("score", 1.0, 0.0),
        ("has_answer", True, False),
        ("is_correct", "true", "false"),
        ("type", "positive", "negative"),
        ("是否相关", "是", "否"),
    ],
)
def test_marks_say_which_are_right(tmp_path: Path, mark: str, right: Any, wrong: Any) -> None:
    found = inspect(Dataset(str(lines(tmp_path / "rows.jsonl", objects(mark, right, wrong)))), task="embedding")
    assert found.usable
    assert found.preview[0]["positive"] == f"{ROWS[0][1]} 1"
    assert found.preview[0]["negative"] == f"{ROWS[0][1]} 0 (+1)"


@pytest.mark.parametrize(
    ("mark", "right", "wrong", "test"),
    [
        ("score", 0.93, 0.12, "score>=0.525"),
        ("relevance", 2, 0, "relevance>=1"),
        ("grade", 3, 1, "grade>=3"),
        ("label", "great", "so-so", "label="),
    ],
)
@pytest.mark.parametrize("column", ["ctx", "passages"])
def test_grades_are_asked_about(tmp_path: Path, mark: str, right: Any, wrong: Any, test: str, column: str) -> None:
    rows = [{"question": row["question"], column: row["ctx"]} for row in objects(mark, right, wrong)]
    path = lines(tmp_path / "rows.jsonl", rows)
    (asked,) = [item for item in inspect(Dataset(str(path)), task="embedding").findings if item.severity == "error"]
    assert asked.code == "marks-unclear"
    assert f'--map positive="{column}[{test}' in asked.first[0].line("en")
    test = test if test[-1] != "=" else f"{mark}={right}"
    mapping = {"query": "question", "positive": f"{column}[{test}].text", "negative": f"{column}[!{test}].text"}
    found = inspect(Dataset(str(path), columns=mapping), task="embedding")
    assert found.usable
    assert found.preview[0]["positive"] == f"{ROWS[0][1]} 1"


def test_comparisons_in_paths() -> None:
    row = {"ctx": [{"s": 0.5, "t": "a"}, {"s": "2", "t": "b"}, {"s": None, "t": "c"}]}
    shown = {mark: value_at(row, f"ctx[{mark}].t") for mark in ("s>=0.5", "s>0.5", "s<=0.5", "s<2", "s=2.0", "!s>=1")}
    assert shown == {
        "s>=0.5": ["a", "b"],
        "s>0.5": ["b"],
        "s<=0.5": ["a"],
        "s<2": ["a"],
        "s=2.0": ["b"],
        "!s>=1": ["a", "c"],
    }


@pytest.mark.parametrize("mark", ["|||", "||", "###", "<sep>"])
def test_several_answers_in_a_cell_are_each_one_and_told(tmp_path: Path, mark: str) -> None:
    answers = [f"ask at the desk {n}{mark}call the office {n}" for n in range(12)]
    rows = [(f"how do i renew card {n}?", answer) for n, answer in enumerate(answers)]
    found = table(tmp_path / "faq.csv", ("question", "answer"), rows)
    assert "several-texts" in codes(found) and found.preview[0]["positive"] == "ask at the desk 0 (+1)"
    few = [*rows[:2], *((question, f"ask at the desk {n}") for n, (question, _) in enumerate(rows[2:]))]
    found = table(tmp_path / "few.csv", ("question", "answer"), few)
    told = next(one for one in found.findings if one.code == "several-texts")
    assert told.severity == "warning" and found.preview[0]["positive"] == rows[0][1]


def test_lines_and_bars_of_a_document_are_no_marks(tmp_path: Path) -> None:
    rows = [(f"how do i renew card {n}?", f"at the desk | {n} or by mail | {n}") for n in range(12)]
    found = table(tmp_path / "faq.csv", ("question", "answer"), rows)
    assert "several-texts" not in codes(found) and "(+" not in found.preview[0]["positive"]
