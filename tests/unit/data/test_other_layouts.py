"""Layouts of other programs: read as they are meant, or refused with what would be lost; nothing goes quietly."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunewiz.data.inspection import Inspection, inspect
from tunewiz.data.inspection import fix as clean
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


def advice(found: Inspection, code: str) -> dict[str, str]:
    """The mapping in the fix of a finding."""
    fix = next(one.first[0].fix for one in found.findings if one.code == code)
    assert fix is not None
    return {role: quoted or plain for role, quoted, plain in MAPPED.findall(fix.text("en"))}


def follow(folder: Path, task: str, mapping: dict[str, str]) -> Inspection:
    found = inspect(Dataset(str(folder / "rows.jsonl"), columns=mapping), task)
    assert mapping and found.usable
    return found


MAPPED = re.compile(r'--map (\w+)=(?:"([^"]+)"|([^\s;.]+(?:\.\w+)?))')


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
        ("answers-compared", lambda n: {"prompt": asked(n), "response_1": said(n), "response_2": other(n),
                                        "preference_strength": (-2, 1)[n % 2]}),
        ("answers-compared", lambda n: {"question": asked(n), "回答1": said(n), "回答2": other(n),
                                        "更好": "左右"[n % 2]}),
        ("turn-a-row", lambda n: {"发送方": ("客户", "客服")[n % 2],
                                  "消息内容": (asked(n), said(n))[n % 2], "时间": f"2024-01-01 10:{n:02d}"}),
        ("turn-a-row", lambda n: {"sender": ("visitor", "agent")[n % 2],
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
    found = looked(tmp_path, "embedding", lambda n: {"prompt": asked(n), "response_a": said(n), "response_b": other(n),
                                                     "labels": n % 2})  # fmt: skip
    assert severities(found)["answers-compared"] == "error"


def test_the_letter_of_a_choice_is_no_document(tmp_path: Path) -> None:
    texts = looked(
        tmp_path, "embedding", lambda n: {"问题": asked(n), "candidates": [said(n), other(n)], "答案": "AB"[n % 2]}
    )
    assert severities(texts)["choice-for-text"] == "error"
    advised = follow(tmp_path, "embedding", advice(texts, "choice-for-text"))
    assert (advised.preview[1]["positive"], advised.preview[1]["negative"]) == (other(1), said(1))
    inside = looked(tmp_path, "embedding", lambda n: {"题目": f"{asked(n)}\nA. red\nB. blue", "答案": "AB"[n % 2]})
    assert severities(inside)["labels-for-texts"] == "error" and inside.counts["examples"] == len(TOPICS)
    judged = looked(
        tmp_path, "reranker", lambda n: {"question": asked(n), "passage": said(n), "answer": ("yes", "no")[n % 2]}
    )
    assert follow(tmp_path, "reranker", advice(judged, "labels-for-texts")).preview[0]["positive"] == said(0)


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


def spoke(found: Inspection) -> list[tuple[str, str]]:
    return [(turn.speaker, turn.text) for turn in found.conversations[0].turns]


def part(text: str) -> dict[str, Any]:
    return {"parts": [{"text": text}]}


TURNS: dict[str, Callable[[int], dict[str, Any]]] = {
    "gemini": lambda n: {"systemInstruction": part("be kind"), "contents": [
        {"role": "user", **part(asked(n))}, {"role": "model", **part(said(n))}]},
    "vertex": lambda n: {"context": "be kind", "messages": [
        {"author": "user", "content": asked(n)}, {"author": "bot", "content": said(n)}]},
    "moss": lambda n: {"meta_instruction": "be kind", "chat": {"turn_1": {
        "Human": f"<|Human|>: {asked(n)}<eoh>\n", "Commands": "<|Commands|>: None<eoc>\n",
        "MOSS": f"<|MOSS|>: {said(n)}<eom>\n"}}},
    "segments": lambda n: {"segments": [
        {"label": False, "text": f"<|im_start|>system\nbe kind<|im_end|>\n<|im_start|>user\n{asked(n)}<|im_end|>\n"},
        {"label": False, "text": "<|im_start|>assistant\n"}, {"label": True, "text": f"{said(n)}<|im_end|>"}]},
    "preamble": lambda n: {"preamble": "be kind", "messages": [
        {"role": "User", "content": asked(n)}, {"role": "Chatbot", "content": said(n)}]},
    "capitals": lambda n: {"messages": [{"Role": "System", "Content": "be kind"}, {"Role": "USER", "Content": asked(n)},
                                        {"Role": "Assistant", "Content": said(n)}]},
    "own key": lambda n: {"system": "be kind", "dialog": [{"who": "User", "line": asked(n)},
                                                          {"who": "Bot", "line": said(n)}]},
    "vicuna": lambda n: {"text": f"be kind USER: {asked(n)} ASSISTANT: {said(n)}</s>"},
    "internlm": lambda n: {"text": f"<|System|>:be kind\n<|User|>:{asked(n)}<eoh>\n<|Bot|>:{said(n)}<eoa>\n"},
    "granite": lambda n: {"text": "".join(
        f"<|start_of_role|>{who}<|end_of_role|>{text}<|end_of_text|>\n"
        for who, text in (("system", "be kind"), ("user", asked(n)), ("assistant", said(n))))},
}  # fmt: skip


@pytest.mark.parametrize("layout", TURNS)
def test_turns_of_other_programs_are_read_with_what_sets_their_scene(tmp_path: Path, layout: str) -> None:
    found = looked(tmp_path, "llm", TURNS[layout])
    assert spoke(found) == [("user", asked(0)), ("assistant", said(0))] and found.conversations[0].system == "be kind"
    assert found.counts["stage:sft"] == len(TOPICS) and not {"turn-fields", "control-tokens"} & set(severities(found))


def test_a_dialogue_is_read_as_one_where_the_format_says_so(tmp_path: Path) -> None:
    looked(tmp_path, "llm", lambda n: {"text": f"[Human]: {asked(n)}<eoh> [MOSS]: {said(n)}<eoa>", "about": other(n)})
    path = str(tmp_path / "rows.jsonl")
    raw = inspect(Dataset(path, columns={"text": "text"}), "llm")
    fix = next(one.first[0].fix for one in raw.findings if one.code == "chat-in-text")
    assert fix is not None and "--format dialogue" in fix.text("en")
    for columns in ({}, {"text": "text"}):
        named = inspect(Dataset(path, format="dialogue", columns=columns), "llm")
        assert named.usable and spoke(named) == [("user", asked(0)), ("assistant", said(0))]
        assert severities(named)["columns-unused"] == "warning"
    sign = looked(tmp_path, "llm", lambda n: {"text": f"{said(n)}<|endoftext|>"})
    assert next(one.first[0].fix for one in sign.findings if one.code == "chat-in-text") is None


def test_segments_are_learned_as_they_are_marked(tmp_path: Path) -> None:
    found = looked(tmp_path, "llm", lambda n: {"segments": [
        {"label": False, "text": f"Human: {asked(n)}\nAssistant: {other(n)}\nHuman: {asked(n)}\nAssistant:"},
        {"label": True, "text": said(n)}]})  # fmt: skip
    turns = found.conversations[0].turns
    assert [(turn.text, turn.learned) for turn in turns if turn.speaker == "assistant"] == [
        (other(0), False), (said(0), True)]  # fmt: skip
    alone = looked(tmp_path, "llm", lambda n: {"segments": [{"label": True, "text": asked(n)},
                                                            {"label": True, "text": said(n)}]})  # fmt: skip
    assert alone.conversations[0].text == asked(0) + said(0) and severities(alone)["only-answers"] == "warning"


def test_rows_that_all_lack_an_answer_are_told_as_such(tmp_path: Path) -> None:
    found = looked(tmp_path, "llm", lambda n: {"messages": [user(asked(n))], "ground_truth": str(n)})
    assert severities(found)["no-usable-rows"] == "error"
    (told,) = [one.first[0] for one in found.findings if one.code == "no-usable-rows"]
    assert told.fix is not None and "GRPO" in told.line("en")


@pytest.mark.parametrize(("code", "row"), [
    ("answers-unjudged", lambda n: {"prompt": asked(n), "generations": [said(n), other(n)]}),
    ("answers-unjudged", lambda n: {"prompt": asked(n), "answers": [{"text": said(n)}, {"text": other(n)}]}),
    ("marks-unclear", lambda n: {"instruction": asked(n), "completions": [
        {"model": "m", "response": said(n), "score": 4}, {"model": "n", "response": other(n), "score": 2}]}),
    ("marks-unclear", lambda n: {"prompt": asked(n), "answers": [
        {"answer": said(n), "rank": 1}, {"answer": other(n), "rank": 2}]}),
    ("answers-compared", lambda n: {"winner": "xy"[n % 2], **{f"conversation_{one}": [
        user(asked(n)), {"role": "bot", "content": said(n) + one}] for one in "ab"}}),
    ("list-text", lambda n: {"questions": [asked(n), said(n)], "answers": {"text": ["yes", "no"]}}),
    ("questions-only", lambda n: {"turns": [asked(n), "and why is that so?"], "reference": ["a", "b"]}),
    ("turns-in-columns", lambda n: {"user_1": asked(n), "assistant_1": said(n), "user_2": "why?",
                                    "assistant_2": other(n)}),
])  # fmt: skip
def test_what_one_answer_cannot_be_taken_from_is_refused(tmp_path: Path, code: str, row: Any) -> None:
    found = looked(tmp_path, "llm", row)
    assert severities(found)[code] == "error" and not found.usable


def test_answers_of_models_are_right_only_where_the_user_says_so(tmp_path: Path) -> None:
    row = lambda n: {"prompt": asked(n), "responses": [said(n), other(n)]}  # noqa: E731
    found = looked(tmp_path, "embedding", row)
    assert severities(found)["answers-unjudged"] == "error"
    assert follow(tmp_path, "embedding", advice(found, "answers-unjudged")).counts["examples"] == len(TOPICS)
    ranked = looked(tmp_path, "reranker", lambda n: {"query": asked(n), "docs": [
        {"text": said(n), "rank": 1}, {"text": other(n), "rank": 2}]})  # fmt: skip
    mapped = follow(tmp_path, "reranker", advice(ranked, "marks-unclear"))
    assert (mapped.preview[0]["positive"], mapped.preview[0]["negative"]) == (said(0), other(0))


PREFERRED = [("chosen", "reject"), ("answer_best", "answer_worst"), ("好答案", "坏答案"), ("better", "worse")]


@pytest.mark.parametrize(("good", "bad"), PREFERRED)
def test_better_and_worse_answers_by_their_names(tmp_path: Path, good: str, bad: str) -> None:
    found = looked(tmp_path, "llm", lambda n: {bad: other(n), "prompt": asked(n), good: said(n)})
    assert (found.conversations[0].chosen, found.conversations[0].rejected) == (said(0), other(0))


def test_what_only_repeats_a_used_text_is_nothing_lost(tmp_path: Path) -> None:
    found = looked(tmp_path, "llm", lambda n: {
        "prompt": asked(n), "chosen": said(n), "rejected": other(n), "question": asked(n),
        "text": f"### Q: {asked(n)} ### A: {said(n)} ### B: {other(n)}"})  # fmt: skip
    assert severities(found)["columns-unused"] == "note"


@pytest.mark.parametrize("beside", ["explanation", "解析"])
def test_an_explanation_is_thought_and_never_asked(tmp_path: Path, beside: str) -> None:
    found = looked(tmp_path, "llm", lambda n: {"question": asked(n), "answer": said(n), beside: other(n)})
    assert follow(tmp_path, "llm", advice(found, "columns-unused")).conversations[0].answers[0].startswith("<think>")


def test_other_ways_to_ask_are_never_put_into_the_prompt(tmp_path: Path) -> None:
    found = looked(tmp_path, "llm", lambda n: {"标准问": asked(n), "相似问1": other(n), "答案": said(n)})
    assert not advice(found, "columns-unused") and severities(found)["columns-unused"] == "warning"
    slashes = looked(tmp_path, "llm", lambda n: {"question": f"{asked(n)} // {other(n)}", "answer": said(n)})
    assert severities(slashes)["several-questions"] == "warning"


@pytest.mark.parametrize("column", ["instruction", "prompt", "question"])
def test_the_mark_of_the_only_turn_is_no_part_of_the_prompt(tmp_path: Path, column: str) -> None:
    found = looked(tmp_path, "llm", lambda n: {column: f"Human: {asked(n)}\n\nAssistant:", "output": said(n)})
    assert spoke(found) == [("user", asked(0)), ("assistant", said(0))]


def test_turns_inside_an_object_are_reached_as_advised(tmp_path: Path) -> None:
    found = looked(tmp_path, "llm", lambda n: {"custom_id": n, "body": {"model": "x", "messages": [
        user(asked(n)), {"role": "assistant", "content": said(n)}]}})  # fmt: skip
    assert advice(found, "unmapped-columns") == {"messages": "body.messages"}
    assert spoke(follow(tmp_path, "llm", {"messages": "body.messages"}))[1] == ("assistant", said(0))
    looked(tmp_path, "llm", lambda n: {"item": {"q": asked(n), "answers": [said(n), other(n)], "best": n % 2}})
    mapped = follow(tmp_path, "llm", {"prompt": "item.q", "completion": "item.answers[best]"})
    assert [row.answers[0] for row in mapped.conversations[:2]] == [said(0), other(1)]


def test_a_persona_that_is_always_the_same_is_a_system_prompt(tmp_path: Path) -> None:
    found = looked(tmp_path, "llm", lambda n: {"question": asked(n), "answer": said(n), "persona": "You are a pirate."})
    assert follow(tmp_path, "llm", advice(found, "columns-unused")).conversations[0].system == "You are a pirate."


@pytest.mark.parametrize("ids", [lambda n: n, lambda n: str(100 + n)])
def test_numbers_of_classes_are_labels_and_no_ids(tmp_path: Path, ids: Callable[[int], Any]) -> None:
    found = looked(tmp_path, "llm", lambda n: {"text": said(n), "category_id": ids(n)})
    assert severities(found)["text-beside"] == "error"


@pytest.mark.parametrize(("column", "value"), [
    ("is_answerable", lambda n: bool(n % 2)), ("stars", lambda n: n % 5), ("accepted", lambda n: ("yes", "no")[n % 2]),
    ("distance", lambda n: n / 10),
])  # fmt: skip
def test_what_may_tell_right_rows_from_wrong_ones_is_no_note(tmp_path: Path, column: str, value: Any) -> None:
    found = looked(tmp_path, "reranker", lambda n: {"question": asked(n), "context": said(n), column: value(n)})
    assert severities(found).get("scores-unused") == "warning" or found.format == "scored"


@pytest.mark.parametrize("labels", [(False, True), ("false", "true"), (0, 1)])
def test_segments_however_their_labels_are_written(tmp_path: Path, labels: tuple[Any, Any]) -> None:
    found = looked(tmp_path, "llm", lambda n: {"segments": [
        {"label": labels[0], "text": asked(n)}, {"label": labels[1], "text": said(n)}]})  # fmt: skip
    assert spoke(found) == [("user", asked(0)), ("assistant", said(0))]


def test_labels_in_words_beside_their_numbers_are_nothing_lost(tmp_path: Path) -> None:
    found = looked(tmp_path, "llm", lambda n: {"text": said(n), "label": n % 2, "label_text": ("calm", "angry")[n % 2]})
    assert found.conversations[0].label == "calm" and severities(found)["columns-unused"] == "note"


def test_negatives_of_every_kind_are_used(tmp_path: Path) -> None:
    found = looked(tmp_path, "embedding", lambda n: {
        "anchor": asked(n), "pos": said(n), "hard_neg_1": other(n), "hard_neg_2": other(n + 20),
        "random_neg": other(n + 40)})  # fmt: skip
    assert found.preview[0]["negative"].endswith("(+2)") and "texts-unused" not in severities(found)


def test_several_pairs_in_a_row_are_written_as_rows(tmp_path: Path) -> None:
    found = looked(tmp_path, "embedding", lambda n: {"doc": n, "qa_pairs": [
        {"question": asked(n), "answer": said(n)}, {"question": said(n), "answer": other(n)}]})  # fmt: skip
    advised = follow(tmp_path, "embedding", advice(found, "llm-layout"))
    assert advised.counts["examples"] == 2 * advised.counts["rows"]


@pytest.mark.parametrize("row", [
    lambda n: {"prompt": asked(n), "input": other(n), "completion": said(n)},
    lambda n: {"paragraphs": [{"context": other(n), "qas": [{"id": str(n), "question": asked(n), "answers": [
        {"text": said(n), "answer_start": 0}]}]}], "title": str(n)},
])  # fmt: skip
def test_what_is_written_clean_asks_the_same(tmp_path: Path, row: Callable[[int], dict[str, Any]]) -> None:
    found = looked(tmp_path, "llm", row)
    clean(Dataset(str(tmp_path / "rows.jsonl")), tmp_path / "clean.jsonl", "llm")
    assert spoke(found) == spoke(inspect(Dataset(str(tmp_path / "clean.jsonl")), "llm"))
    assert spoke(found)[0] == ("user", f"{asked(0)}\n{other(0)}")


def test_a_prompt_that_ends_with_the_mark_of_an_answer_is_the_question(tmp_path: Path) -> None:
    for end in ("\n", ""):
        found = looked(
            tmp_path,
            "llm",
            lambda n, end=end: {  # type: ignore[misc]
                "prompt": f"<|im_start|>user\n{asked(n)}<|im_end|>\n<|im_start|>assistant{end}",
                "completion": said(n),
            },
        )
        assert spoke(found) == [("user", asked(0)), ("assistant", said(0))]


@pytest.mark.parametrize(("name", "held"), [("best", 1), ("scores", [0.9, 0.1])])
@pytest.mark.parametrize("task", ["llm", "embedding"])
def test_what_tells_answers_apart_is_seen_inside_objects_too(tmp_path: Path, task: str, name: str, held: Any) -> None:
    row = {"answers": ["", ""], name: held}
    looked(tmp_path, task, lambda n: {"q": asked(n), "item": {**row, "answers": [said(n), other(n)]}, name: "x"})
    asked_in, answered_in = ("prompt", "completion") if task == "llm" else ("query", "positive")
    columns = {asked_in: "q", answered_in: "item.answers"}
    found = inspect(Dataset(str(tmp_path / "rows.jsonl"), columns=columns), task)
    assert {"answers-told-apart", "texts-graded"} & set(severities(found)) and not found.usable


def test_what_a_function_gives_back_is_no_call(tmp_path: Path) -> None:
    found = looked(tmp_path, "llm", lambda n: {"conversations": [
        {"from": "user", "value": asked(n)}, {"from": "assistant", "value": "Thought: ask\nAction: find"},
        {"from": "function", "value": "a window"}, {"from": "assistant", "value": said(n)}]})  # fmt: skip
    assert [speaker for speaker, _ in spoke(found)] == ["user", "assistant", "tool", "assistant"]


@pytest.mark.parametrize(
    ("row", "roles"),
    [
        (lambda n: {"id": n, "data": {"text": asked(n)}, "annotations": [
            {"id": n, "result": [{"type": "choices", "value": {"choices": ["good" if n % 2 else "bad"]}}]}]},
         {"text", "label"}),
        (lambda n: {"ts": n, "request": {"model": "m", "messages": [{"role": "user", "content": asked(n)}]},
                    "response": {"choices": [{"message": {"role": "assistant", "content": said(n)}}]}},
         {"prompt", "completion"}),
    ],
)  # fmt: skip
def test_where_texts_lie_in_what_known_programs_write_is_told(
    tmp_path: Path, row: Callable[[int], dict[str, Any]], roles: set[str]
) -> None:
    """The mapping that is advised reads the rows."""
    found = looked(tmp_path, "llm", row)
    assert set(found.advised) == roles
    path = str(next(tmp_path.iterdir()))
    again = inspect(Dataset(path, columns=found.advised), "llm")
    assert not any(finding.severity == "error" for finding in again.findings)
    assert again.counts["examples"] == again.counts["rows"] > 0


def test_of_two_levels_of_labels_the_finer_one_is_advised_and_none_goes_into_the_prompt(tmp_path: Path) -> None:
    found = looked(tmp_path, "llm", lambda n: {"用户说": asked(n), "一级": "甲乙"[n % 2], "二级": "甲乙丙丁"[n % 4]})
    told = next(finding for finding in found.findings if finding.code == "unmapped-columns")
    line = told.first[0].line("en")
    assert "--map label=二级" in line
    assert "prompt" not in line


def test_rows_that_lie_two_keys_deep_are_read(tmp_path: Path) -> None:
    rows = [{"question": asked(n), "answer": said(n)} for n in range(12)]
    path = tmp_path / "deep.json"
    for whole in (
        {"meta": {"v": 1}, "data": {"train": rows, "test": rows[:3]}},
        {"version": "1", "dataset": {"items": rows}},
        {"data": {"train": rows}, "judged": {"q": [{"a": 1}]}},
    ):
        path.write_text(json.dumps(whole, indent=1), encoding="utf-8")
        for task in ("llm", "embedding"):
            found = inspect(Dataset(str(path)), task)
            assert not any(finding.severity == "error" for finding in found.findings), whole
            assert found.counts["examples"] == len(rows)
