"""Rows for retrieval as people bring them, their columns renamed, translated, reordered, with others beside them.

Each is read, or refused with words: never a traceback, never raw text, never a text passed over quietly; and what a
finding advises to map makes that finding go away.
"""

from __future__ import annotations

import json
import random
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.data.test_field_chat_mutations import BESIDE, written
from tests.unit.data.test_field_retrieval import advice_in
from tunewiz.data.inspection import Inspection, inspect
from tunewiz.data.reading.source import Dataset

GOODS = ("kettle", "lamp", "rug", "chair", "mirror", "clock", "vase", "shelf", "towel", "broom", "pan", "bench")
PLACES = ("厨房", "客厅", "卧室", "阳台", "书房", "走廊", "浴室", "车库", "花园", "地下室", "餐厅", "门口")

Make = Callable[[int, str, str], dict[str, Any]]


def right(item: str, place: str) -> str:
    return f"The {item} belongs to {place} and is cleaned once a week with warm water."


def wrong(number: int) -> str:
    return f"Nothing is said here of that, only of the {GOODS[(number + 5) % 12]} and its price."


def asked(item: str, place: str) -> str:
    return f"where does the {item} of {place} go?"


def passages(number: int, item: str, place: str, mark: str, marks: tuple[Any, Any]) -> list[dict[str, Any]]:
    texts = (wrong(number), right(item, place), wrong(number + 1))
    return [{"text": text, mark: marks[place_ == 1]} for place_, text in enumerate(texts)]


#: What people bring; the texts of a column differ from row to row.
KINDS: dict[str, Make] = {
    "pairs": lambda n, a, b: {"query": asked(a, b), "positive": right(a, b)},
    "faq": lambda n, a, b: {"question": asked(a, b), "answer": right(a, b)},
    "triplets": lambda n, a, b: {"query": asked(a, b), "positive": right(a, b), "negative": wrong(n)},
    "lists": lambda n, a, b: {"query": asked(a, b), "pos": [right(a, b)], "neg": [wrong(n), wrong(n + 1)]},
    "scored": lambda n, a, b: {"sentence1": asked(a, b), "sentence2": right(a, b), "score": n % 3 / 2},
    "words": lambda n, a, b: {"query": asked(a, b), "document": right(a, b),
                              "label": ("relevant", "not relevant")[n % 2]},
    "titled": lambda n, a, b: {"question": asked(a, b), "title": f"The {a} {n}", "content": right(a, b)},
    "clicks": lambda n, a, b: {"time": f"2024-05-01 10:{n:02}", "query": asked(a, b), "clicked_doc": right(a, b),
                               "clicks": n % 4 + 1},
    "session": lambda n, a, b: {"query": asked(GOODS[n // 3], "home"), "title": right(a, b), "position": n % 3 + 1,
                                "clicked": int(n % 3 == 1)},
    "gold": lambda n, a, b: {"question": asked(a, b), "ctx": passages(n, a, b, "gold", (False, True))},
    "graded": lambda n, a, b: {"question": asked(a, b), "ctx": passages(n, a, b, "score", (0.1, 0.9))},
    "called": lambda n, a, b: {"question": asked(a, b), "passages": passages(n, a, b, "label", ("no", "yes"))},
    "dpr": lambda n, a, b: {"question": asked(a, b), "positive_ctxs": [{"title": a, "text": right(a, b)}],
                            "hard_negative_ctxs": [{"title": a, "text": wrong(n)}]},
    "similar": lambda n, a, b: {"标准问": asked(a, b), "相似问": f"place of the {a}|{b} and {a}", "答案": right(a, b)},
    "inference": lambda n, a, b: {"premise": asked(a, b), "hypothesis": right(a, b), "label": n % 3},
}  # fmt: skip

#: Other names for the same, in two languages, and such as nobody knows.
NAMES: dict[str, tuple[str, ...]] = {
    "query": ("Query", "search_query", "查询", "搜索词", "*问题（必填）", "用户说", "xyz"),
    "question": ("Question", "用户问题", "问题", "User asks", "问题/Question", "1. 问题", "frage"),
    "positive": ("Positive", "pos", "正例", "相关文档", "pos_text", "yxz"),
    "negative": ("neg", "负例", "hard_negative", "neg_text"),
    "answer": ("Answer (final)", "标准答案", "机器人答", "Bot replies", "答案/Answer", "antwort"),
    "document": ("doc", "passage", "文档", "段落"),
    "label": ("relevance", "是否相关", "标签", "note"),
    "score": ("similarity", "相似度", "得分", "points"),
    "clicked_doc": ("clicked_document", "点击文档", "doc", "document"),
    "clicks": ("click_count", "点击次数", "num_clicks", "点击量"),
    "clicked": ("is_clicked", "是否点击", "click", "点击"),
    "position": ("rank", "展示位置", "位置"),
    "time": ("timestamp", "时间", "date"),
    "title": ("Title", "标题", "doc_title"),
    "content": ("text", "正文", "内容", "body"),
    "ctx": ("contexts", "passages", "段落", "docs", "材料"),
    "passages": ("ctxs", "candidates", "文档"),
    "sentence1": ("text1", "句子1", "text_a"),
    "sentence2": ("text2", "句子2", "text_b"),
}
#: What says nothing of a row's meaning, and so may be passed over in a note.
PLAIN = ("id", "timestamp", "source", "url", *("time", *NAMES["time"]), *("position", *NAMES["position"]))


def varied(draw: random.Random) -> tuple[str, list[dict[str, Any]]]:
    kind = draw.choice(list(KINDS))
    rows = [KINDS[kind](number, *pair) for number, pair in enumerate(zip(GOODS, PLACES, strict=True))]
    columns = list(rows[0])
    names = {column: draw.choice((column, *NAMES.get(column, ()))) for column in columns}
    if len(set(names.values())) < len(names):
        names = {column: column for column in columns}
    order = draw.sample(columns, len(columns))
    more = draw.choice(BESIDE) if draw.random() < 0.3 else {}
    return kind, [{names[column]: row[column] for column in order} | more for row in rows]


def advised(found: Inspection) -> Iterator[tuple[str, dict[str, Any]]]:
    """What each error and warning advises to map or to say of labels."""
    for finding in found.findings:
        fix = finding.first[0].fix
        if fix is None or finding.severity == "note" or finding.code == "columns-uncertain":
            continue
        text = (
            fix.text("en").partition("; if every row")[0].partition("; if all rows")[0].partition(" for inference")[0]
        )
        mapping, _ = advice_in(text)
        words = shlex.split(text.replace("'", " "))
        said = words[words.index("--labels") + 1] if "--labels" in words else ""
        labels = {label: float(worth) for label, _, worth in (pair.partition("=") for pair in said.split(",") if said)}
        if (mapping or labels) and "COLUMN" not in mapping.values() and "column" not in mapping.values():
            yield finding.code, {"columns": mapping, "labels": labels}


@pytest.mark.parametrize("seed", range(10))
def test_no_traceback_nothing_lost_and_advice_that_helps(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    for number in range(26):
        kind, rows = varied(draw)
        folder = tmp_path / str(number)
        folder.mkdir()
        path = written(folder, rows, draw)
        case = (kind, path.name, list(rows[0]))
        found = inspect(Dataset(str(path)), task="embedding")
        assert found.usable or any(finding.severity == "error" for finding in found.findings), case
        assert found.format not in ("text", "prompt_completion"), case
        mapping = found.detection.mapping if found.detection else {}
        used = " ".join(column for columns in mapping.values() for column in columns)
        told = " ".join(finding.first[0].line("en") for finding in found.findings)
        for column in [name for name in rows[0] if name not in PLAIN] if found.usable else []:
            assert column in used or column in told, (case, column)
        for code, advice in advised(found):
            again = inspect(Dataset(str(path), **advice), task="embedding")
            left = [finding.code for finding in again.findings if finding.severity != "note"]
            assert code not in left, (case, advice, left)
            assert again.counts.get("examples"), (case, advice, left)


def test_right_and_wrong_passages_are_never_taken_for_one_another(tmp_path: Path) -> None:
    for kind in ("gold", "called", "graded"):
        rows = [KINDS[kind](number, *pair) for number, pair in enumerate(zip(GOODS, PLACES, strict=True))]
        path = tmp_path / f"{kind}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        found = inspect(Dataset(str(path)), task="embedding")
        if kind == "graded":
            assert [finding.code for finding in found.findings if finding.severity == "error"] == ["marks-unclear"]
            ((_, advice),) = advised(found)
            found = inspect(Dataset(str(path), **advice), task="embedding")
        assert found.counts["examples"] == 12, kind
        assert found.preview[0] == {
            "query": asked("kettle", "厨房"), "positive": right("kettle", "厨房"), "negative": f"{wrong(0)} (+1)"
        }, kind  # fmt: skip
