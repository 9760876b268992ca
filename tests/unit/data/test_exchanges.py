"""Questions with their answers in text files, and chats as programs export them, for every task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tunewiz.data.inspection import Inspection, fix, inspect
from tunewiz.data.opening.opened import open_dataset, read_examples
from tunewiz.data.reading.source import Dataset
from tunewiz.data.rows.examples import Group

PAIRS = [
    (f"What does it cost to mend {thing}?", f"To mend {thing} you pay {n + 3} euros, parts and work.")
    for n, thing in enumerate(("a bell", "a chair", "a drum", "a fan", "a gate", "a hat"))
]
PAIRS_ZH = [
    (f"{thing}坏了怎么办？", f"请把{thing}寄到维修部，{n + 3}天之内修好寄回。")
    for n, thing in enumerate(("水壶", "台灯", "风扇", "闹钟", "相机", "吉他"))
]


def looked(path: Path, task: str, **said: Any) -> Inspection:
    return inspect(Dataset(str(path), **said), task=task)


def codes(found: Inspection) -> dict[str, str]:
    return {one.code: one.severity for one in found.findings}


@pytest.mark.parametrize(
    "written",
    [
        "".join(f"Q: {q}\nA: {a}\n" for q, a in PAIRS),
        "".join(f"问：{q}\n答：{a}\n\n" for q, a in PAIRS_ZH),
        "".join(f"Q{n}：{q}\nA{n}：{a}\n" for n, (q, a) in enumerate(PAIRS_ZH, 1)),
        "".join(f"Q{n}. {q}\nA{n}. {a}\n\n" for n, (q, a) in enumerate(PAIRS, 1)),
        "".join(f"【问】{q}\n【答】{a}\n" for q, a in PAIRS_ZH),
        "".join(f"**Question:** {q}\n\n**Answer:** {a}\n\n" for q, a in PAIRS),
        "# Help\n\n" + "".join(f"**Q{n}: {q}**\n\nA: {a}\n\n" for n, (q, a) in enumerate(PAIRS, 1)),
        "".join(f"{n}. {q}\n{a}\n\n" for n, (q, a) in enumerate(PAIRS, 1)),
        "# Help\n\n" + "".join(f"### {q}\n\n{a}\n\n" for q, a in PAIRS),
        "# 帮助\n\n" + "".join(f"**{q}**\n\n{a}\n\n" for q, a in PAIRS_ZH),
        "".join(f"{q}\n{a}\n" for q, a in PAIRS),
    ],
)
@pytest.mark.parametrize("name", ["faq.txt", "faq.md"])
def test_text_files_of_questions_and_answers_are_read_for_every_task(tmp_path: Path, name: str, written: str) -> None:
    path = tmp_path / name
    path.write_text(written)
    pairs = PAIRS_ZH if any(sign >= "\u4e00" for sign in written) else PAIRS
    found = looked(path, "embedding")
    assert (found.format, found.counts["examples"], codes(found)["turns-as-pairs"]) == ("turns", 6, "warning")
    assert found.preview[3] == dict(zip(("query", "positive"), pairs[3], strict=True))
    chats = looked(path, "llm")
    assert (chats.format, codes(chats)["chat-in-text"]) == ("dialogue", "warning")
    assert [turn.text for turn in chats.conversations[1].turns] == list(pairs[1])
    assert looked(path, "llm", format="text").format == "text"
    kept = fix(Dataset(str(path)), tmp_path / "clean.csv", "reranker")
    assert kept.kept == 6 and looked(kept.path, "reranker").format == "pairs"


@pytest.mark.parametrize("task", ["embedding", "llm"])
def test_sentences_with_commas_and_saved_chats_are_no_tables(tmp_path: Path, task: str) -> None:
    path = tmp_path / "said.txt"
    path.write_text("".join(f"[0{n}/02/24, 10:0{n}:00] Ann: {q}\n[0{n}/02/24, 10:1{n}:00] Bob: {a}\n"
                            for n, (q, a) in enumerate(PAIRS, 1)))  # fmt: skip
    found = looked(path, task)
    assert found.detection is None and codes(found)["who-answers"] == "error"


def test_lines_of_settings_stand_above_a_table(tmp_path: Path) -> None:
    path = tmp_path / "cards.txt"
    path.write_text("#separator:tab\n#html:true\n" + "".join(f"{q}\t{a}\tcost\n" for q, a in PAIRS))
    assert looked(path, "embedding").preview[0] == dict(zip(("query", "positive"), PAIRS[0], strict=True))
    assert looked(path, "llm").format == "prompt_completion"


def exported(n: int) -> dict[str, Any]:
    """A conversation as ChatGPT exports it, whose second question was answered twice."""
    asked, answered = PAIRS[n]
    said = [("system", ""), ("user", asked), ("assistant", answered), ("user", "And how long does it take?")]
    said += [("assistant", "I cannot say."), ("assistant", f"It takes {n + 1} days.")]
    parents = [None, 0, 1, 2, 3, 3]
    nodes: dict[str, Any] = {}
    for place, ((role, text), parent) in enumerate(zip(said, parents, strict=True)):
        message = {"author": {"role": role}, "content": {"content_type": "text", "parts": [text]}, "recipient": "all"}
        nodes[f"{n}-{place}"] = {"id": f"{n}-{place}", "message": message, "children": [],
                                 "parent": None if parent is None else f"{n}-{parent}"}  # fmt: skip
        if parent is not None:
            nodes[f"{n}-{parent}"]["children"].append(f"{n}-{place}")
    code = {
        "author": {"role": "assistant"},
        "content": {"content_type": "code", "text": "x = 1"},
        "recipient": "python",
    }
    nodes[f"{n}-1"]["children"] = [f"{n}-c"]
    nodes[f"{n}-c"] = {"id": f"{n}-c", "message": code, "parent": f"{n}-1", "children": [f"{n}-2"]}
    nodes[f"{n}-2"]["parent"] = f"{n}-c"
    return {"title": f"t{n}", "create_time": 1.5, "mapping": nodes, "current_node": f"{n}-5"}


def test_an_export_of_chats_is_read_along_its_newest_branch(tmp_path: Path) -> None:
    (tmp_path / "conversations.json").write_text(json.dumps([exported(n) for n in range(6)]))
    for path in (tmp_path, tmp_path / "conversations.json"):
        found = looked(path, "llm")
        assert [turn.text for turn in found.conversations[2].turns][-1] == "It takes 3 days."
        assert {"answers-passed", "messages-passed"} <= set(codes(found)) and found.counts["examples"] == 6
        opened = open_dataset(Dataset(str(path)), lambda _problem: None, "reranker")
        pairs = [one for one in read_examples(opened, lambda _problem: None) if isinstance(one, Group)]
        assert [(one.query, *one.positives) for one in pairs[:1]] == [PAIRS[0]] and len(pairs) == 12


def test_replies_inside_replies_are_read_by_their_ranks(tmp_path: Path) -> None:
    path = tmp_path / "trees.jsonl"
    tree = [{"tree": {"text": q, "role": "prompter", "replies": [
        {"text": "No idea.", "role": "assistant", "rank": 1, "replies": []},
        {"text": a, "role": "assistant", "rank": 0, "replies": []}]}} for q, a in PAIRS]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in tree))
    assert looked(path, "embedding").preview[0] == dict(zip(("query", "positive"), PAIRS[0], strict=True))
    assert [turn.text for turn in looked(path, "llm").conversations[0].turns] == list(PAIRS[0])


@pytest.mark.parametrize("judge", [
    ("which_is_better", "A", "B", "tie"), ("winner", "reply_a", "reply_b", "both"), ("偏好", "A", "B", "平局"),
    ("preferred", "model_a", "model_b", "tie (bothbad)"),
])  # fmt: skip
def test_the_better_of_two_answers_is_read(tmp_path: Path, judge: tuple[str, ...]) -> None:
    path = tmp_path / "judged.jsonl"
    rows = [{"question": q, "reply_a": a if n % 2 else "Ask someone else about it.",
             "reply_b": f"I do not know ({n})." if n % 2 else a, judge[0]: judge[1 if n % 2 else 2]}
            for n, (q, a) in enumerate(PAIRS)]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {**rows[0], judge[0]: judge[3]}]))
    found = looked(path, "embedding")
    assert found.preview[0]["positive"] == PAIRS[0][1] and found.preview[0]["negative"].startswith("Ask")
    assert (found.counts["examples"], codes(found)["no-choice"]) == (6, "warning")
    pairs = looked(path, "llm")
    assert (pairs.conversations[0].chosen, pairs.conversations[1].chosen) == (PAIRS[0][1], PAIRS[1][1])
    assert pairs.counts["stage:preference"] == 6 and codes(pairs)["no-better-answer"] == "warning"


@pytest.mark.parametrize("strength", [(-2, 1), (0.3, 0.8), (-1, -2)])
def test_what_names_no_side_is_asked_about(tmp_path: Path, strength: tuple[float, float]) -> None:
    path = tmp_path / "judged.jsonl"
    rows = [{"question": q, "response_1": a, "response_2": f"no {n}", "preference_strength": strength[n % 2]}
            for n, (q, a) in enumerate(PAIRS)]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for task in ("embedding", "reranker", "llm"):
        assert codes(looked(path, task))["answers-compared"] == "error"


def test_answers_beside_each_other_are_right_ones_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"question": q, "answer1": a, "answer2": f"{a} Really."}) + "\n"
                            for q, a in PAIRS))  # fmt: skip
    assert codes(looked(path, "embedding"))["answers-together"] == "warning"


@pytest.mark.parametrize("tags", [("role", "content"), ("von", "text"), ("from", "value")])
def test_a_list_of_llama_factory_is_read_with_its_tags_for_every_task(tmp_path: Path, tags: tuple[str, str]) -> None:
    entry = {"file_name": "chat.json", "formatting": "sharegpt", "columns": {"messages": "talk"}, "tags": {
        "role_tag": tags[0], "content_tag": tags[1], "user_tag": "kunde", "assistant_tag": "firma"}}  # fmt: skip
    (tmp_path / "dataset_info.json").write_text(json.dumps({"mine": entry}))
    rows = [{"talk": [{tags[0]: "kunde", tags[1]: q}, {tags[0]: "firma", tags[1]: a}]} for q, a in PAIRS]
    (tmp_path / "chat.json").write_text(json.dumps(rows))
    assert [turn.text for turn in looked(tmp_path, "llm").conversations[0].turns] == list(PAIRS[0])
    assert looked(tmp_path, "embedding").preview[0] == dict(zip(("query", "positive"), PAIRS[0], strict=True))
