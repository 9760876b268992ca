"""Conversations with a turn a row: put together where it is told where one begins, refused with a way out otherwise."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tunewiz.data.inspection import fix, inspect
from tunewiz.data.opening.opened import conversations_of, open_dataset, read_examples
from tunewiz.data.reading.source import Dataset
from tunewiz.data.rows.conversations import Conversation
from tunewiz.data.rows.examples import Group
from tunewiz.problems import BadData, Problem

TALKS = [(f"How is number {n}?", f"Number {n} is fine.") for n in range(12)]


def table(path: Path, head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerows([head, *rows])
    return str(path)


def read(path: str, told: list[Problem] | None = None) -> list[Conversation]:
    report = (told if told is not None else []).append
    return list(conversations_of(open_dataset(Dataset(path), report, "llm").detection, report))


@pytest.mark.parametrize(
    ("head", "who"),
    [
        (("session_id", "role", "content"), ("user", "assistant")),
        (("dialog_id", "speaker", "utterance"), ("Customer", "Agent")),
        (("会话编号", "发言人", "内容"), ("顾客", "客服")),
        (("ticket", "from", "message"), ("human", "gpt")),
    ],
)
def test_rows_of_one_conversation_are_put_together(tmp_path: Path, head: Sequence[str], who: tuple[str, str]) -> None:
    rows = [(n, name, text) for n, talk in enumerate(TALKS) for name, text in zip(who, talk, strict=True)]
    found = read(table(tmp_path / "log.csv", head, rows))
    assert [tuple(turn.text for turn in one.turns) for one in found] == TALKS
    assert [one.line for one in found[:3]] == [2, 4, 6]


def test_a_cleaned_copy_is_read_as_messages(tmp_path: Path) -> None:
    rows = [(n, who, text) for n, (q, a) in enumerate(TALKS) for who, text in (("user", q), ("bot", a))]
    path, out = table(tmp_path / "log.csv", ("chat_id", "role", "text"), rows), tmp_path / "clean.jsonl"
    fix(Dataset(path), out, "llm")
    again = inspect(Dataset(str(out)), "llm")
    assert again.format == "messages"
    assert again.counts["examples"] == len(TALKS)
    assert not any(finding.severity in ("error", "warning") for finding in again.findings)


def test_turns_come_in_the_order_that_is_told(tmp_path: Path) -> None:
    rows = [line for n, (q, a) in enumerate(TALKS) for line in ((n, 2, "bot", a), (n, 1, "human", q))]
    found = read(table(tmp_path / "log.csv", ("chat", "turn", "who", "msg"), rows))
    assert [tuple(turn.text for turn in one.turns) for one in found] == TALKS


def test_the_system_begins_a_conversation(tmp_path: Path) -> None:
    rows = [line for q, a in TALKS for line in (("system", "Be brief."), ("user", q), ("assistant", a))]
    found = read(table(tmp_path / "log.csv", ("role", "content"), rows))
    assert [tuple(turn.text for turn in one.turns) for one in found] == TALKS
    assert {one.system for one in found} == {"Be brief."}


def test_what_a_turn_tells_beside_is_used_or_told(tmp_path: Path) -> None:
    rows = [
        {"dialog_id": n, "speaker": who, "utterance": text, "mood": "calm", "weight": int(n != 3), "id": f"{n}{who}"}
        for n, (q, a) in enumerate(TALKS)
        for who, text in (("user", q), ("bot", a))
    ]
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    told: list[Problem] = []
    found = read(str(path), told)
    assert len(found) == len(TALKS) - 1  # the one whose only answer has no weight
    lost = next(problem for problem in told if problem.code == "turn-fields")
    assert "mood" in lost.line("en")
    assert not {"weight", "id"} & set(lost.line("en").replace(",", " ").split())


@pytest.mark.parametrize("apart", [False, True])
def test_where_nothing_tells_where_one_begins_the_way_out_is_told(tmp_path: Path, apart: bool) -> None:
    rows = [(n, who, text) for n, (q, a) in enumerate(TALKS) for who, text in (("user", q), ("assistant", a))]
    if apart:
        rows = [*rows[::2], *rows[1::2]]
        path = table(tmp_path / "log.csv", ("dialog_id", "role", "content"), rows)
    else:
        path = table(tmp_path / "log.csv", ("role", "content"), [row[1:] for row in rows])
    with pytest.raises(BadData) as refused:
        read(path)
    (problem,) = refused.value.problems
    assert problem.code == "turn-a-row"
    assert ("Sort the rows by dialog_id" if apart else "conversation_id") in problem.line("en")


def test_a_column_of_who_speaks_is_no_label(tmp_path: Path) -> None:
    """Turns that come again (thanks, welcome) made the advice to learn who speaks."""
    rows = [line for _ in range(20) for line in (("customer", "Thanks"), ("agent", "Welcome"))]
    found = inspect(Dataset(table(tmp_path / "log.csv", ("speaker", "utterance"), rows)), "llm")
    assert [problem.code for problem in found.findings if problem.severity == "error"] == ["turn-a-row"]


def test_a_conversation_that_comes_back_is_told_and_a_cut_one_left_out(tmp_path: Path) -> None:
    rows = [(n, who, text) for n, (q, a) in enumerate(TALKS * 30) for who, text in (("user", q), ("assistant", a))]
    path = table(tmp_path / "log.csv", ("dialog_id", "role", "content"), [*rows, (0, "user", "Once more?"), rows[1]])
    told: list[Problem] = []
    found = read(path, told)
    assert len(found) == 30 * len(TALKS) + 1
    assert "conversation-apart" in {problem.code for problem in told}
    some = open_dataset(Dataset(path, limit=7), told.append, "llm").detection
    assert len(list(conversations_of(some, told.append))) == 3


def test_for_retrieval_questions_with_their_answers_are_pairs(tmp_path: Path) -> None:
    rows = [(n, who, text) for n, (q, a) in enumerate(TALKS) for who, text in (("user", q), ("assistant", a))]
    told: list[Problem] = []
    data = open_dataset(Dataset(table(tmp_path / "log.csv", ("dialog_id", "role", "content"), rows)), told.append)
    found = list(read_examples(data, told.append))
    assert [(one.query, *one.positives) for one in found if isinstance(one, Group)] == TALKS
    assert "turns-as-pairs" in {problem.code for problem in told}
