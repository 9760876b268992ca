"""Rows for language models as people bring them, their columns renamed, translated, reordered, with others beside them.

Each is read, or refused with words: never a traceback, never raw text that nobody asked for; and what a finding advises
to map makes that finding go away.
"""

from __future__ import annotations

import csv
import io
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tunewiz.data.inspection import Inspection, inspect
from tunewiz.data.reading.source import Dataset

TOPICS = ("rain", "snow", "wind", "frost", "hail", "fog", "sun", "dew", "ice", "storm", "cloud", "mist")
TOWNS = ("桂林", "大理", "敦煌", "喀什", "丽江", "拉萨", "漠河", "三亚", "厦门", "烟台", "承德", "平遥")


def turns(*said: tuple[str, str], name: str = "role", text: str = "content") -> list[dict[str, str]]:
    return [{name: who, text: what} for who, what in said]


def verdict(topic: str) -> str:
    return "good" if len(topic) % 2 else "bad"


def rows_of(make: Any) -> list[dict[str, Any]]:
    return [make(topic, town) for topic, town in zip(TOPICS, TOWNS, strict=True)]


SERVICE = (("客服", "您好"), ("客户", "{b}下雨吗"), ("客户", "还有{a}"), ("客服", "{b}没有雨"))
#: What people bring; texts of one column differ from row to row.
KINDS: dict[str, list[dict[str, Any]]] = {
    "faq": rows_of(lambda a, b: {"question": f"How is {a} made?", "answer": f"{a} is made above {b} by cold."}),
    "alpaca": rows_of(lambda a, b: {"instruction": f"Explain {a}.", "input": f"in {b}", "output": f"{a} falls."}),
    "thoughts": rows_of(lambda a, b: {"question": f"Why {a}?", "reasoning": f"Let me see, {b}.", "answer": f"So {a}."}),
    "summary": rows_of(lambda a, b: {"text": f"昨天{b}下了一场大雾，路上的车都开得很慢，{a}。", "summary": f"{b}大雾"}),
    "titled": rows_of(lambda a, b: {"title": f"About {a}", "content": f"{b} saw a great deal of {a} this year."}),
    "labels": rows_of(lambda a, b: {"text": f"{a} over {b} today", "labels": ["calm", "wild"][: 1 + len(a) % 2]}),
    "judged": rows_of(lambda a, b: {"prompt": f"Is {a} wet?", "completion": f"See {b}.", "label": verdict(a)}),
    "messages": rows_of(lambda a, b: {"messages": turns(("User", f"what is {a}"), ("Assistant", f"it is like {b}"))}),
    "service": rows_of(lambda a, b: {"conversations": turns(
        *((who, text.format(a=a, b=b)) for who, text in SERVICE), name="from", text="value")}),
    "guanaco": rows_of(lambda a, b: {"text": f"### Human: what is {a}?### Assistant: It is weather of {b}."}),
    "chatml": rows_of(lambda a, b: {"text": f"<|im_start|>user\n{a}?<|im_end|>\n<|im_start|>assistant\n{b}.<|im_end|>"
                                    }),
    "preference": rows_of(lambda a, b: {"prompt": f"Tell of {a}", "chosen": f"{a} is of {b}", "rejected": "no idea"}),
    "exam": rows_of(lambda a, b: {"question": f"Which is {a}?", "A": b, "B": a, "C": "none", "answer": "B"}),
    "context": rows_of(lambda a, b: {"instruction": f"When did {a} come?", "context": f"{a} came to {b} in May.",
                                     "response": "In May.", "category": "closed" if len(a) % 2 else "open"}),
}  # fmt: skip

#: Other names for the same, in two languages, and such as nobody knows.
NAMES: dict[str, tuple[str, ...]] = {
    "question": ("q", "ask", "Question", "用户问题", "【问题】", "*问题（必填）", "问", "提问内容", "xyz"),
    "answer": ("a", "reply", "Answer (final)", "标准回答", "*参考答案", "回答（标准）", "答", "客服回复", "zyx"),
    "instruction": ("Instruction", "指令", "task", "任务"),
    "input": ("Input", "输入", "context"),
    "output": ("Output", "输出", "response", "target"),
    "reasoning": ("Complex_CoT", "思维链", "reasoning_content", "thinking", "推理过程"),
    "text": ("content", "正文", "document", "article", "文本", "body"),
    "summary": ("摘要", "abstract", "highlights", "gist"),
    "title": ("标题", "headline", "name"),
    "content": ("正文", "text", "body"),
    "labels": ("tags", "标签", "类别", "intent"),
    "label": ("kto_tag", "是否满意", "feedback", "rating"),
    "messages": ("conversation", "dialog", "对话", "chat"),
    "conversations": ("messages", "会话", "turns"),
    "prompt": ("query", "提示", "user"),
    "completion": ("response", "回复", "assistant"),
    "context": ("passage", "上下文", "材料", "background"),
    "response": ("answer", "回答", "output"),
    "category": ("topic", "类目", "kind"),
    "chosen": ("preferred", "优选"),
    "rejected": ("dispreferred", "拒绝"),
}
BESIDE: tuple[dict[str, Any], ...] = (
    {"id": 7},
    {"timestamp": "2024-05-01"},
    {"source": "forum"},
    {"url": "http://a.b"},
)


def varied(draw: random.Random) -> tuple[str, list[dict[str, Any]]]:
    kind = draw.choice(list(KINDS))
    columns = list(KINDS[kind][0])
    names = {column: draw.choice((column, *NAMES.get(column, ()))) for column in columns}
    if len(set(names.values())) < len(names):
        names = {column: column for column in columns}
    order = draw.sample(columns, len(columns))
    more = draw.choice(BESIDE) if draw.random() < 0.4 else {}
    return kind, [{names[column]: row[column] for column in order} | more for row in KINDS[kind]]


def written(folder: Path, rows: list[dict[str, Any]], draw: random.Random) -> Path:
    plain = not any(isinstance(value, list) for value in rows[0].values())
    if plain and draw.random() < 0.4:
        text = io.StringIO(newline="")
        table = csv.DictWriter(text, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
        (folder / "rows.csv").write_text(text.getvalue(), encoding=draw.choice(("utf-8", "utf-8-sig", "gb18030")))
        return folder / "rows.csv"
    (folder / "rows.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return folder / "rows.jsonl"


def is_silent_raw_text(found: Inspection, kind: str) -> bool:
    warned = any(finding.severity == "warning" for finding in found.findings)
    return found.format == "text" and kind not in ("guanaco", "chatml") and not warned


def advised(found: Inspection) -> Iterator[tuple[str, dict[str, Any]]]:
    for finding in found.findings:
        fix = finding.first[0].fix
        for text in map(str, fix.values.values()) if fix else ():
            mapping = dict(re.findall(r"--map (\w+)=(\S+)", text))
            layout = re.search(r"--format (\w+)", text)
            if mapping and finding.code in ("columns-unused", "unmapped-columns", "text-beside"):
                yield finding.code, {"columns": mapping} | ({"format": layout[1]} if layout else {})


@pytest.mark.parametrize("seed", range(10))
def test_no_traceback_no_silent_raw_text_and_advice_that_helps(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    for number in range(24):
        kind, rows = varied(draw)
        folder = tmp_path / str(number)
        folder.mkdir()
        path = written(folder, rows, draw)
        found = inspect(Dataset(str(path)), task="llm")
        assert found.findings or found.usable
        assert not is_silent_raw_text(found, kind), (kind, list(rows[0]))
        used = {
            column for columns in (found.detection.mapping if found.detection else {}).values() for column in columns
        }
        told = " ".join(str(finding.first[0].message.values) for finding in found.findings)
        for column in set(rows[0]) - {"id", "timestamp", "source", "url"} if found.usable else ():
            assert column in used or column in told, (kind, list(rows[0]), column)
        for code, advice in advised(found):
            again = inspect(Dataset(str(path), **advice), task="llm")
            left = [finding.code for finding in again.findings if finding.severity != "note"]
            assert code not in left, (kind, advice, left)
            assert again.counts.get("examples"), (kind, advice)
