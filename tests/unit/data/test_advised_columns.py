"""The one adviser of columns: what cells and names tell of their roles, tried on the rows before it is said."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from tunewiz.data.inspection import Inspection, inspect
from tunewiz.data.reading.source import Dataset

ASKED = ["怎么退款？", "几点开门", "哪里办卡？", "如何续借", "什么时候放假？", "能否改签"]
SAID = ["请在订单页申请。", "早上八点。", "服务台办理。", "在网上点续借。", "七月初开始。", "开车前可以改一次。"]


def table(path: Path, columns: tuple[str, ...], *cells: list[str]) -> str:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([columns, *zip(*cells, strict=True)])
    return str(path)


def hints(found: Inspection) -> list[dict[str, str]]:
    """The mappings that errors advise, one for each ``;`` between them."""
    fixes = [one.first[0].fix for one in found.findings if one.severity == "error"]
    typed = [part for fix in fixes if fix is not None for part in fix.text("en").split(";")]
    return [dict(re.findall(r"--map (\w+)=([^\s;.]+)", part)) for part in typed]


@pytest.mark.parametrize(("task", "roles"), [("embedding", ("query", "positive")), ("llm", ("prompt", "completion"))])
@pytest.mark.parametrize("turned", [False, True])
def test_the_column_of_questions_asks_wherever_it_stands(
    tmp_path: Path, task: str, roles: tuple[str, str], turned: bool
) -> None:
    numbers = [str(number) for number in range(1, 7)]
    cells = (numbers, SAID, ASKED) if turned else (numbers, ASKED, SAID)
    found = inspect(Dataset(table(tmp_path / "a.csv", ("x", "y", "z"), *cells)), task)
    assert found.detection is None
    assert found.advised == dict(zip(roles, ("z", "y") if turned else ("y", "z"), strict=True))
    assert hints(found) == [found.advised]


def test_nothing_is_advised_beyond_doubt_where_no_cell_tells(tmp_path: Path) -> None:
    colours, fruits = ["red", "blue", "green", "grey", "pink", "teal"], ["fig", "plum", "pear", "lime", "date", "kiwi"]
    for task in ("embedding", "llm"):
        assert inspect(Dataset(table(tmp_path / f"{task}.csv", ("x", "y"), colours, fruits)), task).advised == {}


@pytest.mark.parametrize(
    ("title", "text"),
    [("title", "body"), ("headline", "content"), ("title", "abstract"), ("subject", "message"), ("题名", "摘要"),
     ("主题", "正文"), ("标题", "内容"), ("name", "description")],
)  # fmt: skip
def test_a_title_searches_for_its_text_and_either_may_be_written(tmp_path: Path, title: str, text: str) -> None:
    short = [f"notes on topic {number}" for number in "abcdefghij"]
    long = [f"{one}: what was found, in which order, and what it means for those who come next" for one in short]
    for columns, cells in (((title, text), (short, long)), ((text, title), (long, short))):
        path = table(tmp_path / f"{columns[0]}.csv", columns, *cells)
        found = inspect(Dataset(path), "embedding")
        mapping = found.advised or {role: names[0] for role, names in found.detection.mapping.items()}  # type: ignore[union-attr]
        assert mapping == {"query": title, "positive": text}
        llm = inspect(Dataset(path), "llm")
        if llm.detection is None:
            assert [sorted(one) for one in hints(llm)] == [["completion", "prompt"], ["completion", "prompt"], ["text"]]
            for mapping in hints(llm):
                assert inspect(Dataset(path, columns=mapping), "llm").usable
        else:  # told to be checked
            assert "columns-uncertain" in {one.code for one in llm.findings}
