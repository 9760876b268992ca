"""Texts that people have: question and answer in a text file, saved chats, reading comprehension, ratings, flags."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.data.test_field_tables import CITIES, ROWS, lines, looked, told
from tunewiz.data.inspection import inspect
from tunewiz.data.reading.source import Dataset


@pytest.mark.parametrize("between", ["\n\n", "\n"], ids=["paragraphs", "lines"])
@pytest.mark.parametrize(("asks", "answers"), [("问：", "答："), ("Q: ", "A: "), ("User: ", "Assistant: ")])
def test_questions_and_answers_in_a_text_file_are_conversations(
    tmp_path: Path, between: str, asks: str, answers: str
) -> None:
    path = tmp_path / "faq.txt"
    path.write_text(
        between.join(f"{asks}{row['question']}\n{answers}{row['answer']}" for row in ROWS), encoding="utf-8"
    )
    found = looked(path)
    assert (found.format, found.counts["examples"]) == ("dialogue", 12)
    assert [turn.text for turn in found.conversations[1].turns] == [ROWS[1]["question"], ROWS[1]["answer"]]
    assert "--format text" in told(found)["chat-in-text"]
    assert looked(path, format="text").format == "text"


@pytest.mark.parametrize("name", ["guide.md", "guide.txt"])
def test_running_text_is_told_as_such_where_pairs_are_wanted(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(
        "# Guide\n\n" + "".join(f"## Part {n}\n\n{row['answer']}, or so.\n\n" for n, row in enumerate(ROWS))
    )
    found = told(inspect(Dataset(str(path)), task="embedding"))
    assert set(found) == {"running-text", "documents"}


@pytest.mark.parametrize(
    "line",
    [
        "[2024-03-{day:02} 10:00] {who}: {said}",
        "{day}/3/24, 9:15 PM - {who}: {said}",
        "2024年3月{day}日 10:00:00 {who}\n{said}",
    ],
)
def test_a_saved_chat_is_not_taken_for_prose_in_silence(tmp_path: Path, line: str) -> None:
    path = tmp_path / "chat.txt"
    path.write_text(
        "".join(
            line.format(day=day, who=who, said=f"a thing {day}") + "\n"
            for day in range(1, 20)
            for who in ("Li", "客服")
        ),
        encoding="utf-8",
    )
    found = looked(path)
    assert found.format == "saved_chat" and "客服 answers" in told(found)["saved-chat"]


def test_prose_that_names_an_hour_is_no_chat(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("At 10:00 the train left.\nNobody spoke: it was early.\n" * 10)
    assert "chat-in-text" not in told(looked(tmp_path / "diary.txt"))


@pytest.mark.parametrize("answers", [[{"text": "in the north", "answer_start": 5}], ["in the north"]])
def test_reading_comprehension_is_learned_by_answering(tmp_path: Path, answers: list[Any]) -> None:
    path = tmp_path / "dev.json"
    asked = [
        {"id": f"{city}-{n}", "question": f"where is {city} {n}?", "answers": answers}
        for n in range(2)
        for city in CITIES
    ]
    unanswerable = {"id": "x", "question": "why?", "answers": [], "is_impossible": True}
    paragraphs = [{"context": "oslo lies in the north", "qas": [*asked, unanswerable]}]
    path.write_text(json.dumps({"version": "1", "data": [{"title": "towns", "paragraphs": paragraphs}]}))
    found = looked(path)
    assert (found.format, found.counts["examples"]) == ("comprehension", 24)
    question, answer = (turn.text for turn in found.conversations[0].turns)
    assert ("where is oslo 0?" in question, "oslo lies in the north" in question, answer) == (
        True,
        True,
        "in the north",
    )
    assert inspect(Dataset(str(path)), task="embedding").format == "squad"


def test_turns_are_advised_as_pairs(tmp_path: Path) -> None:
    path = tmp_path / "chats.jsonl"
    start = [{"from": "system", "value": "be kind"}]
    talks = [[{"from": "human", "value": row["question"]}, {"from": "gpt", "value": row["answer"]}] for row in ROWS]
    for column, before in ("conversations", ()), ("conversations", start), ("verlauf", start):
        path.write_text(lines([{column: [*before, *talk, *talk]} for talk in talks]))
        assert f"--map turns={column}" in told(inspect(Dataset(str(path)), task="embedding"))["llm-layout"]
        found = inspect(Dataset(str(path), columns={"turns": column}), task="embedding")
        assert found.counts["examples"] == 24
        assert found.preview[0] == {"query": ROWS[0]["question"], "positive": ROWS[0]["answer"]}


def test_texts_side_by_side_in_an_object_are_advised_by_their_paths(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(lines([{"translation": {"en": row["question"], "fr": row["answer"]}} for row in ROWS]))
    assert "--map prompt=translation.en --map completion=translation.fr" in told(looked(path))["unmapped-columns"]
    asked = told(inspect(Dataset(str(path)), task="embedding"))["unmapped-columns"]
    assert "translation.en" in asked and "translation.fr" in asked and "--map query=" in asked


def test_stars_are_advised_as_labels_and_flags_with_what_they_leave_out(tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text(
        "post,given\n" + "".join(f"{city} was fine,{number % 5 + 1}\n" for number, city in enumerate(CITIES * 2))
    )
    assert "--map text=post --map label=given" in told(looked(path))["unmapped-columns"]
    assert looked(path, columns={"text": "post", "label": "given"}).format == "classification"
    path.write_text(
        "post,rude,loud\n" + "".join(f"{city} was fine,{n % 2},{n % 3 % 2}\n" for n, city in enumerate(CITIES))
    )
    fix = told(looked(path))["unmapped-columns"]
    assert "--map text=post --map label=rude leaves out loud" in fix


def test_grades_beside_a_text_are_never_dropped_for_raw_text(tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    path.write_text("body,level\n" + "".join(f"{city} was fine,{n % 3}\n" for n, city in enumerate(CITIES)))
    assert "--map text=body --map label=level" in told(looked(path))["text-beside"]


def test_a_source_that_is_always_the_same_asks_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(lines([{"entry": row["question"], "answer": row["answer"], "source": "web"} for row in ROWS]))
    assert "--map prompt=entry --map completion=answer" in told(looked(path))["unmapped-columns"]


def test_the_same_labels_in_another_order_are_one_set(tmp_path: Path) -> None:
    path = tmp_path / "tags.jsonl"
    path.write_text(
        lines([{"text": row["question"], "labels": ["a", "b"] if n % 2 else ["b", "a"]} for n, row in enumerate(ROWS)])
    )
    assert {row.label for row in looked(path).conversations} == {"a, b"}
