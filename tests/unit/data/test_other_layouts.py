"""Layouts of other programs: read as they are meant, or refused with what would be lost; nothing goes quietly."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunewiz.data.inspection import Inspection, inspect
from tunewiz.data.reading.source import Dataset

TOPICS = ("library card", "lost parcel", "train seat", "broken display", "thesis print", "late fee", "bus pass",
          "locker key", "guest login", "room booking", "meal plan", "bike permit")  # fmt: skip


def asked(number: int) -> str:
    return f"how do i get help with my {TOPICS[number]}?"


def said(number: int) -> str:
    return f"go to window {number} in the main hall and show them your {TOPICS[number]}."


def other(number: int) -> str:
    return f"nobody knows about that, try again in {number + 2} weeks with another paper."


def looked(folder: Path, task: str, row: Callable[[int], dict[str, Any]]) -> Inspection:
    path = folder / "rows.jsonl"
    rows = "".join(json.dumps(row(number), ensure_ascii=False) + "\n" for number in range(len(TOPICS)))
    path.write_text(rows, encoding="utf-8")
    return inspect(Dataset(str(path)), task)


def severities(found: Inspection) -> dict[str, str]:
    return {one.code: one.severity for one in found.findings}


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def test_a_prompt_inside_an_object_is_its_turns(tmp_path: Path) -> None:
    tools = [{"type": "function", "function": {"name": "price", "parameters": {}}}]
    found = looked(tmp_path, "llm", lambda n: {
        "input": {"messages": [{"role": "system", "content": "be brief"}, user(asked(n))], "tools": tools},
        "preferred_output": [{"role": "assistant", "content": said(n)}],
        "non_preferred_output": [{"role": "assistant", "content": other(n)}],
    })  # fmt: skip
    first = found.conversations[0]
    assert [turn.text for turn in first.turns] == [asked(0)] and first.system == "be brief" and "price" in first.tools
    assert (first.chosen, first.rejected) == (said(0), other(0)) and "object-text" not in severities(found)


def test_a_system_prompt_in_parts_is_its_text(tmp_path: Path) -> None:
    found = looked(tmp_path, "llm", lambda n: {
        "system": [{"text": "be brief"}, {"text": "be kind"}],
        "messages": [{"role": "user", "content": [{"text": asked(n)}]},
                     {"role": "assistant", "content": [{"text": said(n)}]}],
    })  # fmt: skip
    assert found.conversations[0].system == "be brief\nbe kind"


@pytest.mark.parametrize(
    ("code", "row"),
    [
        ("answers-compared", lambda n: {"prompt": asked(n), "response_0": said(n), "response_1": other(n),
                                        "better_response_id": n % 2}),
        ("answers-compared", lambda n: {"question": asked(n), "回答1": said(n), "回答2": other(n),
                                        "更好": "左右"[n % 2]}),
        ("turn-a-row", lambda n: {"会话ID": n // 4, "发送方": ("客户", "客服")[n % 2],
                                  "消息内容": (asked(n), said(n))[n % 2], "时间": f"2024-01-01 10:{n:02d}"}),
        ("turn-a-row", lambda n: {"sessionId": n // 4, "sender": ("visitor", "agent")[n % 2],
                                  "content": (asked(n), said(n))[n % 2]}),
    ],
)  # fmt: skip
def test_rows_that_need_others_or_a_choice_are_refused(
    tmp_path: Path, code: str, row: Callable[[int], dict[str, Any]]
) -> None:
    found = looked(tmp_path, "llm", row)
    assert severities(found)[code] == "error" and found.detection is None


def test_grades_of_answers_are_lost_with_a_warning(tmp_path: Path) -> None:
    found = looked(tmp_path, "llm", lambda n: {"prompt": asked(n), "response": said(n), "helpfulness": n % 5,
                                               "coherence": n % 3})  # fmt: skip
    assert severities(found)["columns-unused"] == "warning"


def test_thoughts_are_known_by_a_word_of_the_name(tmp_path: Path) -> None:
    found = looked(
        tmp_path, "llm", lambda n: {"problem": asked(n), "solution": said(n), "deepseek_reasoning": other(n)}
    )
    assert found.conversations[0].answers[0].startswith(f"<think>\n{other(0)}")


def test_an_answer_is_never_advised_to_be_read_before_the_answer(tmp_path: Path) -> None:
    found = looked(tmp_path, "llm", lambda n: {"instruction": asked(n), "output": said(n), "output_long": other(n)})
    told = next(one.first[0].line("en") for one in found.findings if one.code == "columns-unused")
    assert "output_long" in told and "--map input" not in told


def test_words_with_tags_are_no_text_to_learn(tmp_path: Path) -> None:
    path = tmp_path / "ner.txt"
    path.write_text("".join(f"Ann B-PER\nlives O\nin O\nTown{n} B-LOC\n\n" for n in range(20)), encoding="utf-8")
    assert severities(inspect(Dataset(str(path)), "llm"))["tagged-words"] == "error"
    path.write_text(
        "".join(f"小王 2024-01-01 10:{n:02d}:11\n怎么办理第{n}张卡？\n\n" for n in range(20)), encoding="utf-8"
    )
    assert severities(inspect(Dataset(str(path)), "llm"))["chat-in-text"] == "warning"


def test_lists_of_grades_beside_lists_of_texts_are_never_passed_over(tmp_path: Path) -> None:
    found = looked(tmp_path, "reranker", lambda n: {"query": asked(n), "docs": [said(n), other(n)], "labels": [1, 0]})
    assert severities(found)["texts-graded"] == "error"


@pytest.mark.parametrize("task", ["llm", "embedding", "reranker"])
@pytest.mark.parametrize(
    ("code", "beside"),
    [
        ("texts-graded", {"answers": "scores", "held": [0.9, 0.2]}),
        ("texts-graded", {"answers": "ranks", "held": [1, 2]}),
        ("texts-graded", {"answers": "is_correct", "held": [True, False]}),
        ("texts-graded", {"answers": "评分", "held": ["5", "1"]}),
        ("answers-told-apart", {"answers": "best", "held": 1}),
        ("answers-told-apart", {"answers": "positive_index", "held": 0}),
        ("answers-told-apart", {"answers": "最佳", "held": "B"}),
        ("answers-told-apart", {"answers": "best_response_id", "held": "0"}),
    ],
)
@pytest.mark.parametrize("lists", ["answers", "candidates", "responses", "completions", "回答"])
def test_answers_of_which_one_is_right_are_never_all_learned(
    tmp_path: Path, task: str, lists: str, code: str, beside: dict[str, Any]
) -> None:
    name, held = beside["answers"], beside["held"]
    found = looked(tmp_path, task, lambda n: {"question": asked(n), lists: [said(n), other(n)], name: held})
    assert severities(found).get(code) == "error" and not found.usable
    mapping = {"prompt": "question", "completion": lists} if task == "llm" else {"query": "question", "positive": lists}
    mapped = inspect(Dataset(str(tmp_path / "rows.jsonl"), columns=mapping), task)
    assert severities(mapped).get(code) == "error", "nor where the columns are named"


@pytest.mark.parametrize(
    "beside", [{"offsets": [3, 40]}, {"id": 1}, {"index": 1}, {"year": 2020}, {"scores": [1, 1]}, {"topic": "a"}]
)
def test_what_tells_no_answer_apart_stays_as_it_was(tmp_path: Path, beside: dict[str, Any]) -> None:
    found = looked(tmp_path, "embedding", lambda n: {"question": asked(n), "answers": [said(n), other(n)], **beside})
    assert found.usable and not {"texts-graded", "answers-told-apart"} & set(severities(found))


def test_one_of_two_columns_that_another_column_prefers_is_asked_about(tmp_path: Path) -> None:
    found = looked(tmp_path, "embedding", lambda n: {"prompt": asked(n), "response_0": said(n), "response_1": other(n),
                                                     "better_response_id": n % 2})  # fmt: skip
    assert severities(found)["answers-told-apart"] == "error"


def test_the_letter_of_a_choice_is_no_document(tmp_path: Path) -> None:
    row = {"A": "red", "B": "blue", "C": "green"}
    spread = looked(tmp_path, "embedding", lambda n: {"question": asked(n), **row, "answer": "ABC"[n % 3]})
    assert severities(spread)["choice-for-text"] == "error"
    listed = looked(tmp_path, "reranker", lambda n: {"question": asked(n), "options": row, "answer": "ABC"[n % 3]})
    assert severities(listed)["choice-for-text"] == "error"
    texts = looked(
        tmp_path, "embedding", lambda n: {"问题": asked(n), "candidates": [said(n), other(n)], "答案": "AB"[n % 2]}
    )
    assert severities(texts)["choice-for-text"] == "error"
    chat = looked(tmp_path, "llm", lambda n: {"question": asked(n), **row, "answer": "ABC"[n % 3]})
    assert chat.usable


def test_percentages_are_scores(tmp_path: Path) -> None:
    found = looked(tmp_path, "reranker", lambda n: {"query": asked(n), "document": said(n), "相关度(%)": f"{n * 8}%"})
    assert found.format == "scored" and found.preview[1]["score"] == "8"


def test_numbered_questions_beside_one_answer_are_ways_to_ask(tmp_path: Path) -> None:
    found = looked(tmp_path, "embedding", lambda n: {"问题1": asked(n), "问题2": f"help with {TOPICS[n]}", "问题3": "",
                                                     "答案": said(n)})  # fmt: skip
    assert found.counts["examples"] == 2 * len(TOPICS) and "texts-unused" not in severities(found)


def test_entailment_and_contradiction_say_which_is_right(tmp_path: Path) -> None:
    found = looked(
        tmp_path, "embedding", lambda n: {"anchor": asked(n), "entailment": said(n), "contradiction": other(n)}
    )
    assert (found.preview[0]["positive"], found.preview[0]["negative"]) == (said(0), other(0))
