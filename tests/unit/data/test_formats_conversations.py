"""Layouts of data for language models: recognised by their columns, read into conversations, or refused."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tunewiz.data.formats.format import Detection
from tunewiz.data.opening import detection, opened
from tunewiz.data.reading.discovery import discover
from tunewiz.data.reading.source import Dataset
from tunewiz.data.rows.conversations import Conversation, Turn
from tunewiz.problems import BadData, Problem


def written(folder: Path, rows: list[dict[str, Any]] | str, name: str = "rows.jsonl") -> str:
    text = rows if isinstance(rows, str) else "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def detected(path: str, **said: Any) -> Detection:
    return detection.detect(discover(Dataset(path, **said)), task="llm")


def read(path: str, **said: Any) -> tuple[str, list[Conversation], Counter[str]]:
    found, problems = detected(path, **said), list[Problem]()
    rows = list(opened.conversations_of(found, problems.append))
    return found.format.name, rows, Counter(problem.code for problem in problems)


def refusal(path: str, **said: Any) -> str:
    with pytest.raises(BadData) as stopped:
        detected(path, **said)
    assert stopped.value.problems[0].fix
    return stopped.value.problems[0].code


ASKED, ANSWERED = Turn("user", "ask"), Turn("assistant", "told")
TURNS = [{"from": "human", "value": "ask"}, {"from": "gpt", "value": "told"}]
MESSAGES = [{"role": "user", "content": "ask"}, {"role": "assistant", "content": "told"}]
QA = (ASKED, ANSWERED)
EARLIER = (Turn("user", "a"), Turn("assistant", "b"))


@pytest.mark.parametrize(
    ("row", "name", "expected"),
    [
        ({"instruction": "ask", "output": "told"}, "alpaca", Conversation(QA, line=1)),
        ({"指令": "ask", "输入": "", "输出": "told"}, "alpaca", Conversation(QA, line=1)),
        (
            {"instruction": "ask", "input": "more", "output": "told", "system": "s", "history": [["a", "b"]]},
            "alpaca",
            Conversation((*EARLIER, Turn("user", "ask\nmore"), ANSWERED), "s", line=1),
        ),
        ({"prompt": "ask", "completion": "told"}, "prompt_completion", Conversation(QA, line=1)),
        ({"question": "ask", "answer": "told", "category": "x"}, "prompt_completion", Conversation(QA, line=1)),
        ({"问题": "ask", "答案": "told"}, "prompt_completion", Conversation(QA, line=1)),
        (
            {"query": "ask", "response": "told", "history": "[[\"a\", \"b\"]]"},
            "prompt_completion",
            Conversation((*EARLIER, *QA), line=1),
        ),
        ({"conversations": TURNS}, "sharegpt", Conversation(QA, line=1)),
        ({"conversation": [{"human": "ask", "assistant": "told"}], "system": "s"}, "sharegpt",
         Conversation(QA, "s", line=1)),
        ({"messages": [{"role": "system", "content": "s"}, *MESSAGES]}, "messages", Conversation(QA, "s", line=1)),
        ({"messages": json.dumps(MESSAGES)}, "messages", Conversation(QA, line=1)),
        ({"text": "all of it"}, "text", Conversation(text="all of it", line=1)),
        ({"prompt": "ask", "chosen": "good", "rejected": "bad"}, "preference",
         Conversation((ASKED,), chosen="good", rejected="bad", line=1)),
        ({"conversations": TURNS[:1], "chosen": TURNS[1], "rejected": {"from": "gpt", "value": "bad"}}, "preference",
         Conversation((ASKED,), chosen="told", rejected="bad", line=1)),
        ({"chosen": MESSAGES, "rejected": [MESSAGES[0], {"role": "assistant", "content": "bad"}]}, "preference",
         Conversation((ASKED,), chosen="told", rejected="bad", line=1)),
        ({"messages": MESSAGES, "label": False}, "kto", Conversation((ASKED,), answer="told", desirable=False, line=1)),
        ({"prompt": "ask", "completion": "told", "label": True}, "kto",
         Conversation((ASKED,), answer="told", desirable=True, line=1)),
        ({"text": "ask", "intent": "told"}, "classification", Conversation(QA, label="told", line=1)),
        ({"文本": "ask", "标签": "told"}, "classification", Conversation(QA, label="told", line=1)),
    ],
)  # fmt: skip
def test_layouts(tmp_path: Path, row: dict[str, Any], name: str, expected: Conversation) -> None:
    assert read(written(tmp_path, [row])) == (name, [expected], Counter())


def test_tools_and_their_calls(tmp_path: Path) -> None:
    tool = {"name": "clock", "parameters": {}}
    talk = [
        {"role": "user", "content": "what time is it"},
        {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "clock", "arguments": "{}"}}]},
        {"role": "tool", "content": "12:00"},
        {"role": "assistant", "content": [{"type": "text", "text": "noon"}]},
    ]
    broken = [talk[0], {"role": "assistant", "tool_calls": [{"function": {"arguments": "{}"}}]}, *talk[2:]]
    rows: list[dict[str, Any]] = [
        {"messages": talk, "tools": [{"type": "function", "function": tool}]},
        {"messages": broken, "tools": [tool]},
        {"messages": talk, "tools": "no json"},
        {"messages": [talk[0], talk[2], talk[3]], "tools": []},
    ]
    name, found, codes = read(written(tmp_path, rows))
    assert (name, codes) == ("messages", {"bad-tool-call": 1, "bad-tools": 1, "tool-without-call": 1})
    assert [turn.speaker for turn in found[0].turns] == ["user", "call", "tool", "assistant"]
    assert json.loads(found[0].turns[1].text) == {"name": "clock", "arguments": {}}
    assert json.loads(found[0].tools) == [tool]


def test_order_of_turns(tmp_path: Path) -> None:
    def talk(*speakers: str) -> dict[str, Any]:
        return {"conversations": [{"from": one, "value": f"{one} {n}"} for n, one in enumerate(speakers)]}

    rows = [talk("human", "gpt", "human"), talk("gpt", "human"), talk("human", "human", "gpt"), talk("human"),
            talk("human", "nobody")]  # fmt: skip
    _, found, codes = read(written(tmp_path, rows))
    # The question without an answer is cut off, two questions one after another are one.
    assert [[turn.text for turn in row.turns] for row in found] == [["human 0", "gpt 1"], ["human 0\nhuman 1", "gpt 2"]]
    assert codes == {"unanswered-turn": 1, "repeated-role": 1, "no-answer": 2, "unknown-role": 1}


def test_plain_text_by_paragraphs_or_lines(tmp_path: Path) -> None:
    path = written(tmp_path, "One, two.\nStill one.\n\n二。\n", "book.txt")
    name, rows, _ = read(path)
    assert (name, [(row.text, row.line) for row in rows]) == ("text", [("One, two.\nStill one.", 1), ("二。", 4)])
    assert len(read(written(tmp_path, "a b c\nd, e f\n", "lines.txt"))[1]) == 2
    assert read(written(tmp_path, "instruction\toutput\nask\ttold\n", "table.txt"))[0] == "alpaca"


def test_rows_of_several_layouts(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"instruction": "a", "output": "b"},
        {"messages": MESSAGES},
        {"prompt": "c", "completion": "d"},
        {"x": "y"},
    ]
    path = written(tmp_path, rows)
    name, found, codes = read(path)
    assert (name, len(found), codes) == ("mixed", 3, {"unknown-fields": 1})
    assert "mixed-rows" in [problem.code for problem in detected(path).problems]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"query": "q", "positive": "p"}, "retrieval-layout"),
        ({"sentence1": "a", "sentence2": "b", "label": 1}, "retrieval-layout"),
        ({"query": "q", "response": "r", "images": ["a.png"]}, "pictures"),
        ({"query": "<img>a.png</img> what is it", "response": "r"}, "pictures"),
        ({"alpha": "a", "beta": "b"}, "unmapped-columns"),
    ],
)
def test_what_is_refused(tmp_path: Path, row: dict[str, Any], code: str) -> None:
    assert refusal(written(tmp_path, [row])) == code


def test_columns_can_be_mapped_and_the_guess_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, [{"alpha": f"a{n}", "beta": f"b{n % 2}"} for n in range(30)])
    assert read(path, columns={"prompt": "alpha", "completion": "beta"})[0] == "prompt_completion"
    name, rows, _ = read(path, columns={"text": "alpha", "label": "beta"})
    assert (name, rows[1].label) == ("classification", "b1")
    weak = detected(written(tmp_path, [{"response": "only this"}]))
    assert [problem.code for problem in weak.problems] == ["columns-uncertain"]
    found = detected(written(tmp_path, [{"instruction": "a", "output": "b", "id": 1}]))
    assert {problem.code for problem in found.problems} == {"columns-guessed", "columns-unused"}


def test_without_a_task_retrieval_comes_first(tmp_path: Path) -> None:
    source = discover(Dataset(written(tmp_path, [{"question": "q", "answer": "a"}])))
    assert detection.detect(source).format.name == "pairs"
    assert detection.detect(source, task="llm").format.name == "prompt_completion"


SHARED = Path(__file__).resolve().parents[4] / "shared" / "datasets"
KNOWN = {
    "llamafactory_demo/raw/alpaca_en_demo.json": ("alpaca", 999),
    "llamafactory_demo/raw/dpo_zh_demo.json": ("preference", 300),
    "llamafactory_demo/raw/glaive_toolcall_zh_demo.json": ("sharegpt", 298),
    "llamafactory_demo/raw/kto_en_demo.json": ("kto", 300),
    "llamafactory_demo/raw/v1_sft_demo.jsonl": ("messages", 500),
    "medicalgpt_sft/sharegpt_zh_900.jsonl": ("sharegpt", 898),
    "medicalgpt_sft/raw/medical_sft_1K_format.jsonl": ("sharegpt", 1000),
    "format_zoo_msswift/raw/alpaca.csv": ("alpaca", 3),
    "format_zoo_msswift/raw/alpaca.jsonl": ("alpaca", 3),
    "format_zoo_msswift/raw/alpaca2.csv": ("alpaca", 3),
    "format_zoo_msswift/raw/chatml.jsonl": ("messages", 3),
    "format_zoo_msswift/raw/conversations.jsonl": ("sharegpt", 3),
    "format_zoo_msswift/raw/sharegpt.jsonl": ("sharegpt", 3),
    "format_zoo_msswift/raw/swift_multi.json": ("prompt_completion", 3),
    "format_zoo_msswift/raw/swift_multi.jsonl": ("prompt_completion", 3),
    "format_zoo_msswift/raw/swift_pre.csv": ("text", 3),
    "format_zoo_msswift/raw/swift_pre.jsonl": ("text", 3),
    "format_zoo_msswift/raw/swift_single.csv": ("prompt_completion", 3),
    "format_zoo_msswift/raw/swift_single.jsonl": ("prompt_completion", 3),
    "banking77/raw/test.csv": ("classification", 3080),
    "banking77/alpaca10_test.jsonl": ("alpaca", 400),
    "messy_derived/broken.jsonl": ("alpaca", 200),
    "messy_derived/mixed_schemas.jsonl": ("mixed", 150),
    "messy_derived/sharegpt_bad_turns.json": ("sharegpt", 42),
    "messy_derived/dup_empty_html_long.json": ("alpaca", 142),
    "messy_derived/zh_utf8_bom.csv": ("prompt_completion", 200),
    "messy_derived/zh_utf16_tab.txt": ("alpaca", 120),
}
REFUSED = {
    "format_zoo_msswift/raw/multi_modal_1.jsonl": "pictures",
    "format_zoo_msswift/raw/multi_modal_2.jsonl": "pictures",
    "format_zoo_msswift/raw/multi_modal_3.jsonl": "pictures",
    "banking77/raw/categories.json": "no-columns",
    "messy_derived/triplets_dirty.jsonl": "retrieval-layout",
    "messy_derived/pairs_label_zoo.csv": "retrieval-layout",
    "cranfield/beir": "retrieval-layout",
}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared datasets are not here")
def test_the_shared_datasets_are_recognised_or_refused() -> None:
    found = {name: read(str(SHARED / name)) for name in KNOWN}
    assert {name: (format_, len(rows)) for name, (format_, rows, _) in found.items()} == KNOWN
    assert {name: refusal(str(SHARED / name)) for name in REFUSED} == REFUSED
