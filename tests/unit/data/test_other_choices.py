"""Multiple choice, wrong answers beside the right one, two languages side by side, several questions to one text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.data.test_other_layouts import TOPICS, advice, asked, follow, looked, other, said, severities, spoke
from tunewiz.data.inspection import fix, inspect
from tunewiz.data.reading.source import Dataset
from tunewiz.data.text.language import language_of_name

Row = Callable[[int], dict[str, Any]]
CHOICES = [said, other, lambda n: f"call {n} people and wait for their reply in the yard."]


def right(n: int) -> str:
    return CHOICES[n % 3](n)


def texts(n: int) -> list[str]:
    return [choice(n) for choice in CHOICES]


def spread(names: str, n: int) -> dict[str, str]:
    return dict(zip(names.split(), texts(n), strict=True))


LAYOUTS: dict[str, Row] = {
    "letters": lambda n: {"question": asked(n), **spread("A B C", n), "answer": "ABC"[n % 3]},
    "ceval": lambda n: {"题干": asked(n), **spread("选项A 选项B 选项C", n), "正确答案": "ABC"[n % 3]},
    "object": lambda n: {"question": asked(n), "options": spread("A B C", n), "answer": f"({'abc'[n % 3]})"},
    "arc": lambda n: {"question": asked(n), "choices": {"text": texts(n), "label": [*"ABC"]},
                      "answerKey": "ABC"[n % 3]},
    "arc numbers": lambda n: {"question": asked(n), "choices": {"text": texts(n), "label": [*("123", "ABC")[n % 2]]},
                              "answerKey": ("123", "ABC")[n % 2][n % 3]},
    "nested": lambda n: {"answerKey": "ABC"[n % 3], "question": {"stem": asked(n), "choices": [
        {"label": one, "text": text} for one, text in zip("ABC", texts(n), strict=True)]}},
    "lettered list": lambda n: {"question": asked(n), "answer": "ABC"[n % 3], "options": [
        f"{letter}. {text}" for letter, text in zip("ABC", texts(n), strict=True)]},
    "one cell": lambda n: {"题目": asked(n), "答案": "ABC"[n % 3], "选项": "\n".join(
        f"{letter}、{text}" for letter, text in zip("ABC", texts(n), strict=True))},
    "one line": lambda n: {"question": asked(n), "answer": "ABC"[n % 3], "options": " ".join(
        f"({letter}) {text}" for letter, text in zip("ABC", texts(n), strict=True))},
    "mmlu": lambda n: {"question": asked(n), "choices": texts(n), "answer": n % 3},
    "medmcqa": lambda n: {"question": asked(n), **spread("opa opb opc", n), "cop": n % 3},
    "hellaswag": lambda n: {"ctx": asked(n), "endings": texts(n), "label": str(n % 3)},
    "from one": lambda n: {"question": asked(n), **spread("answerA answerB answerC", n), "label": str(n % 3 + 1)},
    "piqa": lambda n: {"goal": asked(n), **spread("sol1 sol2 sol3", n), "label": n % 3},
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_right_choice_is_found_and_the_others_are_wrong(tmp_path: Path, layout: str) -> None:
    found = looked(tmp_path, "embedding", LAYOUTS[layout])
    assert (found.format, found.counts["examples"]) == ("multiple_choice", len(TOPICS)) and found.usable
    assert [row["positive"] for row in found.preview[:3]] == [right(n) for n in range(3)]
    assert [row["query"] for row in found.preview[:3]] == [asked(n) for n in range(3)]
    fix(Dataset(str(tmp_path / "rows.jsonl")), tmp_path / "clean.jsonl", "reranker")
    first = json.loads((tmp_path / "clean.jsonl").read_text("utf-8").splitlines()[1])
    assert right(1) in str(first) and all(text in str(first) for text in texts(1))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_language_model_answers_with_the_letter(tmp_path: Path, layout: str) -> None:
    found = looked(tmp_path, "llm", LAYOUTS[layout])
    listed = "\n".join(f"{letter}. {text}" for letter, text in zip("ABC", texts(0), strict=True))
    assert spoke(found)[0] == ("user", f"{asked(0)}\n{listed}")
    answers = [row.answers[0].strip("()").upper() for row in found.conversations[:3]]
    assert answers == ["A", "B", "C"] and found.usable


def test_a_passage_stands_before_its_question(tmp_path: Path) -> None:
    row: Row = lambda n: {"article": other(n), "question": asked(n), "options": texts(n), "answer": "ABC"[n % 3]}  # noqa: E731
    assert looked(tmp_path, "embedding", row).preview[0]["query"] == f"{other(0)} {asked(0)}"
    assert spoke(looked(tmp_path, "llm", row))[0][1].startswith(f"{other(0)}\n{asked(0)}\nA. ")


@pytest.mark.parametrize("task", ["llm", "embedding"])
def test_numbers_that_may_count_from_0_or_1_are_asked_about(tmp_path: Path, task: str) -> None:
    found = looked(tmp_path, task, lambda n: {"question": asked(n), "choices": texts(n), "answer": 1 + n % 2})
    assert severities(found)["choice-number"] == "error" and not found.usable


def test_several_right_choices_and_rows_without_one(tmp_path: Path) -> None:
    several = looked(
        tmp_path, "embedding", lambda n: {"题目": asked(n), **spread("A B C", n), "答案": ("AC", "B")[n % 2]}
    )
    assert several.preview[0]["positive"] == f"{said(0)} (+1)" and several.preview[0]["negative"] == other(0)
    missing = looked(tmp_path, "embedding", lambda n: {"question": asked(n), "choices": texts(n), "answer": n % 4 - 1})
    assert missing.counts["examples"] == 9 and severities(missing)["no-choice"] == "warning"


def test_an_answer_in_words_stays_one(tmp_path: Path) -> None:
    row: Row = lambda n: {"question": asked(n), "options": texts(n), "answer": right(n)}  # noqa: E731
    assert spoke(looked(tmp_path, "llm", row))[1] == ("assistant", said(0))
    found = looked(tmp_path, "reranker", row)
    assert (found.preview[1]["positive"], found.preview[1]["negative"]) == (right(1), f"{said(1)} (+1)")


@pytest.mark.parametrize("wrong", ["distractor1", "incorrect_answers", "wrong_answer", "错误答案", "干扰项"])
def test_wrong_answers_are_negatives_and_never_joined_to_a_document(tmp_path: Path, wrong: str) -> None:
    held = other if wrong != "incorrect_answers" else lambda n: [other(n), other(n + 20)]
    found = looked(tmp_path, "embedding", lambda n: {"question": asked(n), "correct_answer": said(n), wrong: held(n)})
    assert found.preview[0]["positive"] == said(0) and found.preview[0]["negative"].startswith(other(0))
    chat = looked(tmp_path, "llm", lambda n: {"question": asked(n), "correct_answer": said(n), wrong: held(n)})
    assert "rejected" in str(chat.detection) or "--map input" not in str(chat.findings)


def test_grades_count_more_than_ids(tmp_path: Path) -> None:
    found = looked(
        tmp_path, "reranker", lambda n: {"qid": n // 3, "query": asked(n // 3), "doc": said(n), "label": n % 3}
    )
    assert found.format == "scored"


def test_numbered_right_answers_are_all_used(tmp_path: Path) -> None:
    held = {"pos_1": said, "pos_2": other, "neg_1": asked, "neg_2": lambda n: "no " + other(n)}
    found = looked(
        tmp_path, "embedding", lambda n: {"query": asked(n) + "!"} | {key: text(n) for key, text in held.items()}
    )
    assert found.preview[0]["positive"].endswith("(+1)") and "texts-unused" not in severities(found)


@pytest.mark.parametrize(
    "pair", [lambda told, text: [told, text], lambda told, text: [[told, text], [told, f"{text}!"]]]
)
def test_pairs_of_an_instruction_and_a_text(tmp_path: Path, pair: Callable[[str, str], Any]) -> None:
    row: Row = lambda n: {"query": ["Find what helps.", asked(n)], "pos": pair("", said(n)), "neg": pair("", other(n))}  # noqa: E731
    found = looked(tmp_path, "embedding", row)
    assert (found.preview[0]["query"], found.format) == (asked(0), "instructed")
    assert found.preview[0]["negative"].startswith(other(0)) and found.usable
    first = inspect(Dataset(str(tmp_path / "rows.jsonl")), "embedding", first=1).examples[0]
    assert getattr(first, "instruction", "") == "Find what helps."
    assert not advice(looked(tmp_path, "llm", row), "retrieval-layout"), "lists would be written as JSON"
    told = looked(tmp_path, "embedding", lambda n: {"query": ["Find it.", asked(n)], "pos": ["Read this.", said(n)]})
    assert severities(told)["document-instruction"] == "warning"


SIDES = [
    ("question_zh", "question_en", "answer_zh", "answer_en"),
    ("问题（中文）", "问题（英文）", "答案（中文）", "答案（英文）"),
    ("question-cn", "question-en", "answer-en", "answer-cn"),
]


@pytest.mark.parametrize("names", SIDES)
@pytest.mark.parametrize("task", ["llm", "embedding"])
def test_one_of_two_languages_is_read_whole(tmp_path: Path, task: str, names: tuple[str, ...]) -> None:
    held = {"question": asked, "answer": said}
    found = looked(tmp_path, task, lambda n: {
        name: f"{language_of_name(name)[1]} {held['question' if ('quest' in name or '问' in name) else 'answer'](n)}"
        for name in names})  # fmt: skip
    for one in (found, follow(tmp_path, task, advice(found, "other-language"))):
        first = one.preview[0]
        languages = {text.split()[0] for text in first.values()}
        assert len(languages) == 1 and any(asked(0) in text for text in first.values())
    assert severities(found)["other-language"] == "warning" and "texts-unused" not in severities(found)


@pytest.mark.parametrize("cell", ["{0} // {1} // {2}", "1. {0} 2. {1} 3. {2}", "1、{0}\n2、{1}\n3、{2}", "①{0}②{1}③{2}",
                                  "（1）{0}（2）{1}（3）{2}", ["{0}", "{1}", "{2}"]])  # fmt: skip
def test_questions_in_one_cell_are_a_query_each(tmp_path: Path, cell: Any) -> None:
    def ways(n: int) -> list[str]:
        return [asked(n), f"where to ask for {TOPICS[n]}?", f"{TOPICS[n]} help?"]

    def filled(n: int) -> Any:
        return cell.format(*ways(n)) if isinstance(cell, str) else [one.format(*ways(n)) for one in cell]

    found = looked(tmp_path, "embedding", lambda n: {"question": filled(n), "answer": said(n)})
    assert found.counts["examples"] == 3 * len(TOPICS)
    assert [row["query"] for row in found.preview[:3]] == ways(0)


def test_numbers_inside_a_question_cut_nothing(tmp_path: Path) -> None:
    found = looked(
        tmp_path,
        "embedding",
        lambda n: {"question": f"is 1.5 more than {n}. 2 of it? see http://a.b/c", "answer": said(n)},
    )
    assert found.counts["examples"] == len(TOPICS)
