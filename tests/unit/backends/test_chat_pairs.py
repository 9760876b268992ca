"""Chats as pairs for retrieval: who answers is said in the preset, for all datasets or for one of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tunewiz.backends.stages.retrieval import plan_of
from tunewiz.data.retrieval.prepare import prepare
from tunewiz.presets.yaml.library import open_preset


def chat(place: Path, shop: str, thing: str) -> Path:
    lines = []
    for day in range(1, 21):
        lines += [f"2023-01-{day:02} 12:00:00 张三", f"第 {day} 号{thing}怎么退货？", ""]
        lines += [f"2023-01-{day:02} 12:01:00 {shop}", f"第 {day} 号{thing}在订单页点退货。", ""]
    place.write_text("\n".join(lines), encoding="utf-8")
    return place


@pytest.mark.parametrize("name", ["embedding/starter", "reranker/starter"])
def test_who_answers_is_said_in_the_preset(name: str, tmp_path: Path) -> None:
    one, other = chat(tmp_path / "a.txt", "小店", "商品"), chat(tmp_path / "b.txt", "客服小王", "套餐")
    preset: Any = open_preset(name, [f"data.train={one}", "data.roles={小店: assistant}"]).preset
    prepared = prepare(plan_of(preset), lambda _problem: None)
    assert prepared.counts["rows"] == 20
    train = json.dumps([str(one), {"path": str(other), "roles": {"客服小王": "assistant"}}])
    both: Any = open_preset(name, [f"data.train={train}", "data.roles={小店: assistant}"]).preset
    assert [dict(dataset.roles) for dataset in both.data.datasets] == [{"小店": "assistant"}, {"客服小王": "assistant"}]
    assert prepare(plan_of(both), lambda _problem: None).counts["rows"] == 40
