"""Conversations on two sides of a split, and rows that repeat others: who stays with whom, what is told and dropped."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tunewiz.data.chat import repeats
from tunewiz.data.chat.prepare import prepare_llm
from tunewiz.data.chat.prepared import LlmPlan, PreparedLlm
from tunewiz.data.chat.splitting import split_conversations
from tunewiz.data.inspection import fix, inspect
from tunewiz.data.reading.source import Dataset
from tunewiz.data.rows.conversations import Conversation, Turn
from tunewiz.problems import Problem

TOPICS = ["tmux", "rsync", "conda", "docker", "swap", "cron", "slurm", "ssh", "numpy", "nccl"]
LONG = "The training stops after a few minutes and the log says nothing about why it stopped, what can I do"


def written(folder: Path, rows: list[dict[str, Any]], name: str = "rows.jsonl") -> str:
    path = folder / name
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def prepared(path: str, **plan: Any) -> tuple[PreparedLlm, dict[str, Problem]]:
    problems: list[Problem] = []
    found = prepare_llm(LlmPlan(Dataset(path), validation=0, **plan), problems.append)
    return found, {problem.code: problem for problem in problems}


def labelled(*rows: tuple[str, str]) -> list[Conversation]:
    return [
        Conversation((Turn("user", text), Turn("assistant", label)), label=label, line=number)
        for number, (text, label) in enumerate(rows, 1)
    ]


def intents(count: int) -> list[tuple[str, str]]:
    return [(f"{TOPICS[n % 10]} fails with {TOPICS[n // 10]}", ("disk", "net")[n % 2]) for n in range(count)]


# Which side of the split.


def test_without_a_fraction_nothing_is_held_out_of_labels_either() -> None:
    assert split_conversations(labelled(*intents(20)), 0, 1).held_out == []
    assert split_conversations([], 0.5, 1).held_out == []


@pytest.mark.parametrize("fraction", [0.01, 0.5, 0.9, 0.99])
def test_of_each_label_a_row_is_measured_and_a_row_is_trained_on(fraction: float) -> None:
    rows = labelled(*intents(4), *((f"{word} is slow", "speed") for word in TOPICS))
    parts = split_conversations(rows, fraction, 1)
    for part in (parts.train, parts.held_out):
        assert {row.label for row in part} == {"disk", "net", "speed"}
    assert sorted(row.line for row in (*parts.train, *parts.held_out)) == [row.line for row in rows]


def test_a_label_with_one_question_is_trained_on() -> None:
    parts = split_conversations(labelled(*intents(20), ("odd one out", "rare")), 0.5, 1)
    assert "rare" in {row.label for row in parts.train}
    assert "rare" not in {row.label for row in parts.held_out}


def test_the_most_is_shared_by_the_labels() -> None:
    parts = split_conversations(labelled(*intents(100)), 0.5, 1, most=10)
    assert Counter(row.label for row in parts.held_out) == {"disk": 5, "net": 5}
    assert len(split_conversations(labelled(*intents(100)), 0.5, 1).held_out) == 50


def test_texts_nearly_alike_stay_together_within_a_label_alone() -> None:
    """With different labels they are what the model shall tell apart, and may be on both sides."""
    texts = [" ".join(TOPICS[(n * k + k // 3) % 10] for k in (1, 3, 7)) + " does not answer" for n in range(10)]

    def parted(labels: str) -> int:
        """How many texts of ten have their likes on both sides, over five seeds."""
        rows = labelled(
            *((text + mark, label) for text in texts for mark, label in zip(("", "s"), labels, strict=True))
        )
        found = [split_conversations([*rows, *labelled(("one", "c"), ("two", "c"))], 0.3, seed) for seed in range(5)]
        assert all(len(parts.held_out) == 7 for parts in found)
        sides = [[{row.question.removesuffix("s") for row in part} for part in (p.train, p.held_out)] for p in found]
        return sum(len(train & held) for train, held in sides)

    assert parted("aa") == 0
    assert parted("ab") > 0


def test_an_instruction_that_all_rows_share_ties_none_of_them(tmp_path: Path) -> None:
    task = "Translate the following sentence of a technical manual into German, and keep the names as they are.\n"
    rows = [
        {"instruction": f"{task}{word} listens to {TOPICS[n - 3]} only", "output": f"{word} hört nur {n}"}
        for n, word in enumerate(TOPICS)
    ]
    found, told = prepared(written(tmp_path, rows), fraction=0.3)
    assert len(found.evaluation) == 3
    assert not [code for code in told if code.startswith("split")]


# What the model would have seen in training.


def test_leaks_name_the_row_that_is_trained_on(tmp_path: Path) -> None:
    question = "How do I restart the service of my own machine?"
    near = "How do I restart the services of my own machine"
    train = [
        *({"instruction": f"Tell me about {word}", "output": f"{word} it is"} for word in TOPICS),
        *({"instruction": question, "output": f"answer {number}"} for number in range(2)),
    ]
    test = [
        {"instruction": "how do i restart the service of my own machine", "output": "x"},
        {"instruction": near, "output": "y"},
        {"instruction": f"{LONG}, and where", "output": "z"},
        {"instruction": f"{LONG}, and where?!", "output": "z"},
    ]
    problems: list[Problem] = []
    plan = LlmPlan(Dataset(written(tmp_path, train)), Dataset(written(tmp_path, test, "test.jsonl")), validation=0)
    prepare_llm(plan, problems.append)
    told = {one.code: one for one in problems if one.code.startswith("leak")}
    assert {code: one.where.line for code, one in told.items()} == {"leak-question": 11, "leak-near-question": 11}
    assert told["leak-near-question"].message.values["question"] == near


# Rows that repeat others.


def pair(question: str, answer: str, **more: Any) -> dict[str, Any]:
    return {"instruction": question, "output": answer, **more}


def kept(folder: Path, *rows: dict[str, Any]) -> tuple[list[int], dict[str, int]]:
    """The numbers of the rows that a clean copy keeps, and how many were dropped for what."""
    numbered = [{**row, "id": number} for number, row in enumerate(rows)]
    fixed = fix(Dataset(written(folder, numbered)), folder / "clean.jsonl", "llm")
    lines = (folder / "clean.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["id"] for line in lines], dict(fixed.done)


def test_the_first_of_rows_nearly_alike_stays(tmp_path: Path) -> None:
    rows = [pair(LONG, "Look at dmesg."), pair(f"{LONG} now", "look at  dmesg"), pair(LONG, "Ask somebody.")]
    assert kept(tmp_path, *rows, pair("so", "so it is")) == ([0, 2, 3], {"similar-row": 1})


def test_of_a_chain_only_those_alike_to_a_row_that_stays_go(tmp_path: Path) -> None:
    """The third is like the second, which goes, and unlike the first."""
    chain = [pair(LONG + more, "Look at dmesg.") for more in ("", " or later", " or later, then why")]
    assert [(one.first, one.second) for one in _alike(chain)] == [(0, 1), (1, 2)]
    assert kept(tmp_path, *chain, pair("so", "so it is"))[0] == [0, 2, 3]


def _alike(rows: list[dict[str, Any]]) -> list[repeats.Alike]:
    found = repeats.Repeats()
    for number, row in enumerate(rows):
        found.add(Conversation((Turn("user", row["instruction"]), Turn("assistant", row["output"])), line=number))
    return list(found.alike())


@pytest.mark.parametrize(
    "other",
    [
        pair(f"{LONG} now", "Look at dmesg.", system="Be brief."),
        pair(f"Answer in one word.\n{LONG} now", "Look at dmesg."),
        pair(f"{LONG} now", "Look at the log of the kernel."),
    ],
)
def test_rows_with_another_system_prompt_instruction_or_answer_are_others(
    tmp_path: Path, other: dict[str, Any]
) -> None:
    rows = [pair(f"Answer in a sentence.\n{LONG}" if "\n" in other["instruction"] else LONG, "Look at dmesg."), other]
    assert kept(tmp_path, *rows)[0] == [0, 1]


@pytest.mark.parametrize(("given", "number"), [("only eleven", 0), ("twelve chars", 1)])
def test_a_short_input_does_not_stand_for_its_row(given: str, number: int) -> None:
    """Instructions nearly alike: as parts of the question they may differ a little, as what stands before it not."""
    rows = [pair(f"{LONG}{mark}\n{given}", "Look at dmesg.") for mark in ("", " soon")]
    assert len(given) == 11 + number
    assert len(_alike(rows)) == 1 - number


def test_equal_rows_and_those_equal_but_for_punctuation_are_told_with_the_first_line(tmp_path: Path) -> None:
    rows = [
        pair("How do I stop it?", "Press q."),
        pair("How do I stop it?", "Press q."),
        pair("how do i stop it", "press q"),
    ]
    found = inspect(Dataset(written(tmp_path, rows)), "llm")
    told = {one.code: one.first[0] for one in found.findings if one.code.endswith("duplicate-row")}
    assert {code: (one.where.line, one.message.values["line"]) for code, one in told.items()} == {
        "duplicate-row": (2, 1),
        "near-duplicate-row": (3, 1),
    }


def test_a_judgment_tells_equal_answers_apart(tmp_path: Path) -> None:
    rows = [{"prompt": LONG, "completion": "Look at dmesg.", "label": liked} for liked in (True, False, True)]
    found = inspect(Dataset(written(tmp_path, rows)), "llm")
    assert [(one.first[0].where.line) for one in found.findings if one.code == "duplicate-row"] == [3]


def test_beyond_the_rows_that_are_compared_only_equal_ones_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "COMPARED", 2)
    texts = [LONG, "something else", f"{LONG} now", "something else"]
    rows = [Conversation((Turn("user", text), Turn("assistant", "Yes.")), line=n) for n, text in enumerate(texts)]
    assert repeats.surplus(rows) == {3: "duplicate-row"}
    monkeypatch.setattr(repeats, "COMPARED", 3)
    assert repeats.surplus(rows) == {2: "similar-row", 3: "duplicate-row"}
