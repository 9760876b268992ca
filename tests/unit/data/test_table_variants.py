"""Sheets and delimited files in the shapes that people give them, in English and Chinese: twelve rows in each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tunewiz.data.inspection import Inspection, inspect
from tunewiz.data.reading.source import Dataset

ASKED = [f"How do I send back parcel number {n}?" for n in range(12)]
TOLD = [f"Open order page {n} and press return; we answer within three days." for n in range(12)]
ASKED_ZH = [f"第{n}个包裹应该怎么退回呢" for n in range(12)]
TOLD_ZH = [f"请在订单页面第{n}项点击申请，客服会在三天内处理完" for n in range(12)]
EN = [list(pair) for pair in zip(ASKED, TOLD, strict=True)]
ZH = [list(pair) for pair in zip(ASKED_ZH, TOLD_ZH, strict=True)]
PRICED = [[*pair, n * 10 + 1] for n, pair in enumerate(EN)]
PRICED_ZH = [[*pair, n * 10 + 1] for n, pair in enumerate(ZH)]

Rows = Sequence[Sequence[Any]]


def both_tasks(path: Path, first: str) -> list[Inspection]:
    """What is seen in the file; it must be twelve rows of question and answer, for either task."""
    found = [inspect(Dataset(str(path)), task=task) for task in ("embedding", "llm")]
    for one in found:
        errors = [finding.first[0].line("en") for finding in one.findings if finding.severity == "error"]
        assert not errors
        assert one.counts["examples"] == 12
        assert first in one.preview[0].values()
    return found


def codes(found: Inspection) -> set[str]:
    return {finding.code for finding in found.findings}


def sheet(path: Path, rows: Rows, sign: str = ",") -> Path:
    path.write_text("".join(sign.join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
    return path


UNDER: dict[str, tuple[Sequence[str], Sequence[str], Rows]] = {
    "units": (("问题", "答案", "耗时"), ("(文本)", "(文本)", "(分钟)"), PRICED_ZH),
    "types": (("question", "answer", "price"), ("text", "text", "int"), PRICED),
    "one unit": (("question", "answer", "price"), ("", "", "（元）"), PRICED),
    "types in Chinese": (("问题", "答案", "耗时"), ("字符串", "字符串", "整数"), PRICED_ZH),
    "must be filled in": (("问题", "答案", "次数"), ("必填，不超过50字", "必填", "选填"), PRICED_ZH),
    "required": (("Question", "Answer"), ("(required)", "(required)"), EN),
    "of a database": (("question", "answer"), ("varchar(255)", "text"), EN),
    "another language": (("问题", "答案"), ("question", "answer"), ZH),
    "a rule": (("问题", "答案"), ("------", ":---:"), ZH),
    "an example": (("问题", "答案"), ("示例：怎么退款", "示例：点退款"), ZH),
}


@pytest.mark.parametrize("name", UNDER)
def test_what_stands_under_the_header_is_no_row(tmp_path: Path, name: str) -> None:
    heading, under, rows = UNDER[name]
    for found in both_tasks(sheet(tmp_path / "rows.csv", [heading, under, *rows]), rows[0][0]):
        assert "units-row" in codes(found)


def test_rows_that_look_like_units_stay(tmp_path: Path) -> None:
    types = [[word, f"{word} is a kind of value"] for word in ("text", "int", "date", "float", "list", "json")]
    found = inspect(Dataset(str(sheet(tmp_path / "types.csv", [("question", "answer"), *types]))), task="embedding")
    assert found.counts["examples"] == 6
    words = [["question", "问题"], ["answer", "答案"], ["text", "文本"], ["label", "标签"]]
    found = inspect(Dataset(str(sheet(tmp_path / "words.csv", [("query", "positive"), *words]))), task="embedding")
    assert found.counts["examples"] == 4


def book(path: Path, sheets: dict[str, Rows], merged: Sequence[str] = ()) -> Path:
    import openpyxl

    made = openpyxl.Workbook()
    made.remove(made.active)
    for title, rows in sheets.items():
        added = made.create_sheet(title)
        for row in rows:
            added.append(list(row))
    for cells in merged:
        added.merge_cells(cells)
    made.save(path)
    return path


TWO_ROWS: dict[str, tuple[Rows, Sequence[str]]] = {
    "groups": ([["用户", None, "客服", None], ["编号", "问题", "回答", "工号"],
                *([n, *pair, 7] for n, pair in enumerate(ZH))], ("A1:B1", "C1:D1")),
    "a group": ([["Customer", None, "Agent"], ["id", "question", "answer"],
                 *([n, *pair] for n, pair in enumerate(EN))], ("A1:B1",)),
    "one name over two rows": ([["编号", "问答", None], [None, "问题", "答案"],
                                *([n, *pair] for n, pair in enumerate(ZH))], ("A1:A2", "B1:C1")),
}  # fmt: skip


@pytest.mark.parametrize("name", TWO_ROWS)
def test_headers_of_two_rows(tmp_path: Path, name: str) -> None:
    rows, merged = TWO_ROWS[name]
    first = (ZH if "问题" in rows[1] else EN)[0][0]
    for found in both_tasks(book(tmp_path / "rows.xlsx", {"data": rows}, merged), first):
        assert "header-rows" in codes(found)
    plain = [["" if cell is None else cell for cell in row] for row in rows]
    if plain[1][0]:
        both_tasks(sheet(tmp_path / "rows.csv", plain), first)


ABOVE: dict[str, Rows] = {
    "a title": [["常见问题表", ""], ["", ""]],
    "two titles": [["常见问题表", ""], ["2024年5月", ""]],
    "facts": [["导出时间", "2024-05-01"], ["导出人", "张三"]],
    "a title and a fact": [["FAQ export", ""], ["Date:", "2024-05-01"]],
}


@pytest.mark.parametrize("name", ABOVE)
def test_what_stands_above_the_header_is_no_row(tmp_path: Path, name: str) -> None:
    both_tasks(sheet(tmp_path / "rows.csv", [*ABOVE[name], ("问题", "答案"), *ZH]), ZH[0][0])
    both_tasks(book(tmp_path / "rows.xlsx", {"data": [*ABOVE[name], [], ("question", "answer"), *EN]}), EN[0][0])


def test_the_sheet_with_texts_is_read_and_another_like_it_is_warned_of(tmp_path: Path) -> None:
    sheets = {"README": [["All questions"]], "codes": [["id", "name"], [1, "a"]], "data": [["asked", "told"], *EN]}
    found = inspect(Dataset(str(book(tmp_path / "rows.xlsx", sheets))), task="embedding")
    assert found.source
    assert found.source.sheet == "data"
    months = {"May": [["question", "answer"], *EN[:6]], "June": [["question", "answer"], *EN[6:]]}
    found = inspect(Dataset(str(book(tmp_path / "months.xlsx", months))), task="embedding")
    (told,) = [finding for finding in found.findings if finding.code == "sheet-chosen"]
    assert told.severity == "warning"
    assert "June" in told.first[0].line("en")


AGAIN = {
    "the same": ("question,answer", "question,answer"),
    "other blanks": ("question,answer", "Question , Answer"),
    "a mark": ("问题,答案", "\ufeff问题,答案"),
    "quoted": ("问题,答案", '\ufeff"问题","答案"'),
}


@pytest.mark.parametrize("name", AGAIN)
def test_a_header_in_the_middle_is_no_row(tmp_path: Path, name: str) -> None:
    heading, again = AGAIN[name]
    rows = [",".join(row) for row in ([pair[0], pair[1].replace("，", " ")] for pair in EN)]
    (tmp_path / "rows.csv").write_text("\n".join([heading, *rows[:6], again, *rows[6:]]) + "\n", encoding="utf-8")
    for found in both_tasks(tmp_path / "rows.csv", ASKED[0]):
        assert "repeated-header" in codes(found)
    mixed = {"data": [heading.split(","), *EN[:6], heading.split(","), *EN[6:]]}
    assert "repeated-header" in codes(both_tasks(book(tmp_path / "rows.xlsx", mixed), ASKED[0])[0])


def test_a_header_in_the_middle_may_have_another_order(tmp_path: Path) -> None:
    turned = [[answer, question] for question, answer in EN[6:]]
    path = sheet(tmp_path / "rows.csv", [("question", "answer"), *EN[:6], ("Answer", "Question"), *turned])
    found = inspect(Dataset(str(path)), task="llm")
    assert found.counts["examples"] == 12
    assert "repeated-header" in codes(found)
    assert "swapped-row" not in codes(inspect(Dataset(str(path)), task="embedding"))


@pytest.mark.parametrize(
    "sign", ["||", "###", "<sep>", " | ", "\x01", "@@", "=>", " --- ", "|||", "；", "^", "~", "$$$", "::", "\t\t"]
)
def test_signs_between_cells(tmp_path: Path, sign: str) -> None:
    both_tasks(sheet(tmp_path / "zh.txt", [("问题", "答案"), *ZH], sign), ASKED_ZH[0])
    both_tasks(sheet(tmp_path / "en.txt", [("question", "answer"), *EN], sign), ASKED[0])


def test_a_line_of_names_is_never_running_text(tmp_path: Path) -> None:
    path = sheet(tmp_path / "rows.txt", [("问题", "答案"), *ZH], "，")  # which stands in the answers, too
    found = inspect(Dataset(str(path)), task="llm")
    assert not found.usable
    assert "unmapped-columns" in codes(found)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("＊问题（必填）", "＊答案（必填）"),
        ("1.问题", "2.答案"),
        ("A列-问题", "B列-答案"),
        ("问题/Question", "答案/Answer"),
        ("用户说", "机器人答"),
        ("用户发言", "助手发言"),
        ("客户问", "客服答"),
        ("他问", "我答"),
        ("问的", "答的"),
        ("问句", "应答"),
        ("User says", "Bot answers"),
        ("you ask", "we say"),
        ("customer said", "agent said"),
        ("user_utterance", "bot_response"),
        ("Customer question", "Agent answer"),
        ("what they ask", "what to answer"),
    ],
)
def test_headers_in_everyday_words(tmp_path: Path, question: str, answer: str) -> None:
    rows = ZH if not question.isascii() else EN
    found = both_tasks(sheet(tmp_path / "rows.csv", [(question, answer), *rows]), rows[0][0])
    assert [list(one.detection.mapping.values()) for one in found if one.detection] == [[(question,), (answer,)]] * 2


def test_names_that_nobody_knows_are_proposed_and_not_used(tmp_path: Path) -> None:
    path = sheet(tmp_path / "rows.csv", [("Pregunta hecha", "Respuesta dada"), *EN])
    for task, advice in (
        ("embedding", '--map query="Pregunta hecha" --map positive="Respuesta dada"'),
        ("llm", '--map prompt="Pregunta hecha" --map completion="Respuesta dada"'),
    ):
        found = inspect(Dataset(str(path)), task=task)
        assert not found.usable
        assert advice in found.findings[0].first[0].line("en")
