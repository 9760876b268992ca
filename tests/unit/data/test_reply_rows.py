"""Posts that answer posts: put together by their ids, the best answer of several, and what is left out told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunewiz.data.inspection import Inspection, inspect
from tunewiz.data.reading.source import Dataset

ASKED = [f"Why does pump {n} leak?" for n in range(9)]
TOLD = [f"Its seal {n} is worn; change it." for n in range(9)]
Row = dict[str, Any]


def look(folder: Path, rows: list[Row], task: str = "llm") -> Inspection:
    path = folder / "posts.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return inspect(Dataset(str(path)), task)


LAYOUTS: dict[str, Callable[[int], list[Row]]] = {
    "stack exchange": lambda n: [
        {"Id": 3 * n + 1, "PostTypeId": 1, "AcceptedAnswerId": 3 * n + 3, "ParentId": None, "Score": 4,
         "Title": "A leak", "Body": ASKED[n]},
        {"Id": 3 * n + 2, "PostTypeId": 2, "ParentId": 3 * n + 1, "Score": 9, "Title": "", "Body": "Paint it."},
        {"Id": 3 * n + 3, "PostTypeId": 2, "ParentId": 3 * n + 1, "Score": 2, "Title": "", "Body": TOLD[n]}],
    "reddit": lambda n: [
        {"id": f"a{n}", "parent_id": "", "author": f"u{n}", "body": ASKED[n], "score": 1},
        {"id": f"b{n}", "parent_id": f"t3_a{n}", "author": "x", "body": "lol", "score": -4},
        {"id": f"c{n}", "parent_id": f"t3_a{n}", "author": "y", "body": TOLD[n], "score": 7}],
    "oasst": lambda n: [
        {"message_id": f"{n}a", "parent_id": None, "text": ASKED[n], "role": "prompter", "rank": None},
        {"message_id": f"{n}b", "parent_id": f"{n}a", "text": "No idea.", "role": "assistant", "rank": 1},
        {"message_id": f"{n}c", "parent_id": f"{n}a", "text": TOLD[n], "role": "assistant", "rank": 0}],
    "twitter": lambda n: [
        {"tweet_id": 2 * n, "author_id": str(n), "text": ASKED[n], "in_response_to_tweet_id": ""},
        {"tweet_id": 2 * n + 1, "author_id": "Help", "text": TOLD[n], "in_response_to_tweet_id": 2 * n}],
    "论坛": lambda n: [
        {"帖子编号": f"p{n}", "父帖编号": "", "用户名": f"甲{n}", "内容": ASKED[n]},
        {"帖子编号": f"q{n}", "父帖编号": f"p{n}", "用户名": "乙", "内容": TOLD[n]}],
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("backwards", [False, True])
def test_a_post_and_the_best_answer_to_it(tmp_path: Path, name: str, backwards: bool) -> None:
    rows = [row for n in range(9) for row in LAYOUTS[name](n)]
    found = look(tmp_path, rows[::-1] if backwards else rows)
    assert found.format == "reply_rows" and found.counts["examples"] == 9
    talks = {tuple(turn.text.removeprefix("A leak\n\n") for turn in one.turns) for one in found.conversations}
    assert talks <= set(zip(ASKED, TOLD, strict=True))
    left = "replies-left-out" in {one.code for one in found.findings}
    assert left == (len(rows) > 18)
    pairs = look(tmp_path, rows, "embedding")
    assert pairs.format == "asked_reply_rows" and pairs.counts["examples"] == 9
    assert pairs.preview[0]["positive"] == TOLD[0]


def test_answers_go_on_and_who_asked_first_is_the_user(tmp_path: Path) -> None:
    rows = [
        row
        for n in range(5)
        for row in (
            {"id": f"{n}1", "reply_to": "", "author": f"ann{n}", "body": ASKED[n]},
            {"id": f"{n}2", "reply_to": f"{n}1", "author": "bob", "body": TOLD[n]},
            {"id": f"{n}3", "reply_to": f"{n}2", "author": f"ann{n}", "body": "And then?"},
            {"id": f"{n}4", "reply_to": f"{n}3", "author": "cy", "body": "Test it."},
        )
    ]
    found = look(tmp_path, rows)
    assert [turn.speaker for turn in found.conversations[0].turns] == ["user", "assistant", "user", "assistant"]
    assert not {one.code for one in found.findings} & {"replies-left-out", "unanswered-turn"}


def test_numbers_that_name_no_row_are_no_parents(tmp_path: Path) -> None:
    rows = [{"id": n, "parent_id": 1000 + n, "text": ASKED[n], "label": "ab"[n % 2]} for n in range(9)]
    assert look(tmp_path, rows).format == "classification"


def test_circles_end(tmp_path: Path) -> None:
    rows = [{"id": n, "parent_id": (n + 1) % 4 if n else "", "body": f"post {n} of them"} for n in range(9)]
    rows += [{"id": 20 + n, "parent_id": 19 + n if n else "", "body": f"more {n}"} for n in range(200)]
    assert look(tmp_path, rows).counts["rows"] >= 1


@pytest.mark.parametrize("names", [("label", "label_desc"), ("类别编号", "类别名称")])
def test_labels_are_learned_in_words_where_they_are_told_in_numbers_too(tmp_path: Path, names: tuple[str, str]) -> None:
    rows = [{"sentence": ASKED[n % 9], names[0]: str(100 + n % 3), names[1]: ("pump", "seal", "pipe")[n % 3]}
            for n in range(18)]  # fmt: skip
    found = look(tmp_path, rows)
    assert found.conversations[0].label == "pump"
    assert not {"columns-ambiguous", "numeric-labels"} & {one.code for one in found.findings}


def test_what_annotators_pressed_is_no_answer_and_no_row_that_was_rejected_is_learned(tmp_path: Path) -> None:
    rows: list[Row] = [{"text": ASKED[n], "options": [{"id": "A", "text": "leak"}, {"id": "B", "text": "noise"}],
                        "accept": ["A"], "answer": "accept"} for n in range(9)]  # fmt: skip
    assert all(turn.text != "accept" for one in look(tmp_path, rows).conversations for turn in one.turns)
    judged = [{"text": ASKED[n], "label": "LEAK", "answer": ("accept", "reject")[n % 2]} for n in range(9)]
    assert [one.code for one in look(tmp_path, judged).findings if one.severity == "error"] == ["rows-judged"]


def test_a_title_asks_where_the_text_of_a_question_is_empty(tmp_path: Path) -> None:
    rows = [{"question_title": ASKED[n], "question_content": "It drips." if n % 3 else "", "best_answer": TOLD[n]}
            for n in range(9)]  # fmt: skip
    found = look(tmp_path, rows)
    assert found.counts["examples"] == 9
    assert found.conversations[1].turns[0].text == f"{ASKED[1]}\nIt drips."


def test_no_wrong_text_is_advised_as_a_title_and_no_list_as_a_question_about_itself(tmp_path: Path) -> None:
    rows: list[Row] = [{"query": ASKED[n], "title": TOLD[n], "neg_title": TOLD[(n + 1) % 9]} for n in range(9)]
    told = next(one for one in look(tmp_path, rows, "embedding").findings if one.severity == "error")
    assert "--map negative=neg_title" in told.first[0].line("en")
    keys: list[Row] = [{"abst": TOLD[n] * 3, "keyword": ["seal", f"n{n}"], "label": str(n % 2)} for n in range(9)]
    told = next(one for one in look(tmp_path, keys, "embedding").findings if one.severity == "error")
    assert "query=keyword" not in told.first[0].line("en")
    evidence = {f"Q{n}": {"question": ASKED[n], "evidences": {f"Q{n}#{k}": {"answer": ["x"], "evidence": TOLD[k]}
                                                              for k in range(2)}} for n in range(9)}  # fmt: skip
    path = tmp_path / "webqa.json"
    path.write_text(json.dumps(evidence), encoding="utf-8")
    assert inspect(Dataset(str(path)), "llm").conversations[0].answers == ("x",)
