"""Conversations ready for a run: filled, cleaned, split without leaks, with labels asked for; inspected and mended."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tunewiz.data.chat.prepare import prepare_llm
from tunewiz.data.chat.prepared import LlmPlan, PreparedLlm, load, save
from tunewiz.data.inspection import fix, inspect
from tunewiz.data.reading.source import Dataset, samples
from tunewiz.data.text.duplicates import near_pairs, normal
from tunewiz.problems import BadData, BadPreset, Problem

TOPICS = ["tmux", "rsync", "conda", "docker", "swap", "cron", "slurm", "ssh", "numpy", "nccl"]


def written(folder: Path, rows: list[dict[str, Any]], name: str = "rows.jsonl") -> str:
    path = folder / name
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def asked(count: int = 40) -> list[dict[str, Any]]:
    verbs = ("install", "remove", "explain", "configure")
    return [
        {
            "instruction": f"Please {verbs[n % 4]} {TOPICS[n // 4]} for me",
            "output": f"{TOPICS[n // 4]} is {verbs[n % 4]}",
        }
        for n in range(count)
    ]


def prepared(path: str, **plan: Any) -> tuple[PreparedLlm, dict[str, Problem]]:
    problems: list[Problem] = []
    found = prepare_llm(LlmPlan(Dataset(path), **plan), problems.append)
    return found, {problem.code: problem for problem in problems}


def test_clean_split_save_and_load(tmp_path: Path) -> None:
    rows = asked()
    twin = {"instruction": "please install TMUX for me!", "output": "tmux is install"}
    path = written(tmp_path, [*rows, rows[3], twin, {"instruction": "nothing", "output": ""}])
    found, told = prepared(path, validation=0.1, system="Be brief.")
    assert (found.counts["rows"], len(found.evaluation), len(found.validation)) == (40, 4, 4)
    assert {"cleaned-duplicate-row", "cleaned-near-duplicate-row", "empty-answer"} <= set(told)
    assert (told["empty-answer"].where.line, {row.system for row in found.train}) == (43, {"Be brief."})
    assert prepared(path, validation=0.1, system="Be brief.")[0] == found
    save(found, tmp_path / "run")
    assert load(tmp_path / "run") == found
    for part in ("train.jsonl", "validation.jsonl", "evaluation.jsonl", "counts.json"):
        whole = (tmp_path / "run" / part).read_bytes()
        for content in (b"", b"[]\n", b"null\n", b'{"turns": 5}\n', b"x"):
            (tmp_path / "run" / part).write_bytes(content)
            with pytest.raises(BadData):
                load(tmp_path / "run")
        (tmp_path / "run" / part).write_bytes(whole)
    assert load(tmp_path / "run") == found
    (tmp_path / "run" / "train.jsonl").unlink()
    with pytest.raises(BadData):
        load(tmp_path / "run")


def test_equal_and_similar_first_questions_never_part(tmp_path: Path) -> None:
    rows = [
        {"messages": [{"role": "user", "content": f"How do I restart the {TOPICS[n % 10]} service{mark}"},
                      {"role": "assistant", "content": f"answer {n}"}]}
        for n, mark in enumerate(["?"] * 10 + [" ?"] * 10 + [" now?"] * 10)
    ]  # fmt: skip
    found, _ = prepared(written(tmp_path, rows), fraction=0.3, validation=0)
    inside, outside = ([row.question for row in part] for part in (found.train, found.evaluation))
    assert not {normal(text) for text in inside} & {normal(text) for text in outside}
    assert not [pair for pair in near_pairs([*inside, *outside]) if pair.first < len(inside) <= pair.second]


def test_similar_rows_go_only_when_the_answer_is_the_same(tmp_path: Path) -> None:
    long = "The training stops after a few minutes and the log says nothing about why it stopped, what can I do"
    said = {long: "Look at dmesg.", f"{long} now": "Look at dmesg.", f"{long} here": "Ask for another machine."}
    rows = [{"instruction": question, "output": answer} for question, answer in said.items()]
    found, told = prepared(written(tmp_path, [*rows, *asked(8)]), fraction=0)
    assert found.counts["rows"] == 10
    assert "cleaned-similar-row" in told
    kept, _ = prepared(written(tmp_path, [*rows, *asked(8)]), fraction=0, clean=False)
    assert kept.counts["rows"] == 11


@pytest.mark.parametrize(("rows", "told"), [(60, True), (400, False)])
def test_few_held_out_rows_are_told(rows: int, told: bool, tmp_path: Path) -> None:
    lines = [{"prompt": f"{n * 7919} {n * 104729}?", "completion": f"{n * 15485863}"} for n in range(rows)]
    found, problems = prepared(written(tmp_path, lines))
    assert found.evaluation
    assert ("few-rows" in problems) == told


def test_placeholders_are_filled_or_told(tmp_path: Path) -> None:
    rows = [{"instruction": f"Who are you, {topic}?", "output": "I am {{name}} of {{ author }}."} for topic in TOPICS]
    found, told = prepared(written(tmp_path, rows), placeholders={"name": "Tuna", "autor": "x"})
    assert found.train[0].answers == ("I am Tuna of {{ author }}.",)
    assert told["placeholder-unfilled"].where.line == 1
    assert "{{author}} × 10" in told["placeholder-unfilled"].line("en")
    assert "Did you mean author?" in told["placeholder-unused"].line("en")


def intents(count: int = 60) -> list[dict[str, Any]]:
    """Three labels, the last of them rare."""
    labels = ["disk"] * 3 + ["net"] * 2 + ["gpu"]
    return [{"text": f"{TOPICS[n % 10]} has trouble number {n} with {TOPICS[n // 10]}", "label": labels[n % 6]}
            for n in range(count)]  # fmt: skip


def test_labels_are_stratified_ordered_and_asked_for(tmp_path: Path) -> None:
    found, _ = prepared(written(tmp_path, intents()), fraction=0.2)
    assert found.labels == ("disk", "gpu", "net")
    assert Counter(row.label for row in found.evaluation) == {"disk": 6, "net": 4, "gpu": 2}
    row = found.train[0]
    assert "disk, gpu, net" in row.question
    assert row.turns[-1].text == row.label
    again, _ = prepared(written(tmp_path, intents()[::-1]), labels=("net", "gpu", "disk"), prompt="{text} {x} -> ")
    assert (again.labels, again.prompt) == (("net", "gpu", "disk"), "{text} {x} -> ")
    assert again.train[0].question.endswith(" {x} -> ")
    chinese, _ = prepared(written(tmp_path, [{"文本": f"第 {n} 块磁盘满了", "标签": "盘网"[n % 2]} for n in range(20)]))
    assert chinese.prompt.startswith("判断")


def test_what_stops_a_run(tmp_path: Path) -> None:
    def code(rows: list[dict[str, Any]], **plan: Any) -> str:
        with pytest.raises((BadData, BadPreset)) as stopped:
            prepared(written(tmp_path, rows), **plan)
        return stopped.value.problems[0].code

    assert code(intents(), labels=("disk", "net")) == "unknown-label"
    assert code(intents(), prompt="which label?") == "prompt-without-text"
    assert code(asked(), stage="preference") == "wrong-stage"
    assert code([{"instruction": " ", "output": "x"}]) == "no-usable-rows"
    assert code([{"prompt": "a", "completion": "b"}, {"text": "c"}]) == "mixed-stages"


def test_rows_of_another_stage(tmp_path: Path) -> None:
    rows = [{"prompt": f"about {topic}", "chosen": f"{topic} yes", "rejected": f"{topic} no"} for topic in TOPICS]
    path = written(tmp_path, rows)
    assert prepared(path)[0].stage == "preference"
    examples, told = prepared(path, stage="sft")
    assert examples.train[0].turns[-1].text.endswith("yes")
    assert "other-stage" in told
    judged, _ = prepared(path, stage="kto", fraction=0.2)
    assert (len(judged.train), len(judged.evaluation)) == (16, 4)
    assert not {row.question for row in judged.train} & {row.question for row in judged.evaluation}


def test_evaluation_of_its_own_and_its_leaks(tmp_path: Path) -> None:
    other = written(tmp_path, [asked()[5], {"instruction": "Entirely other", "output": "yes"}], "test.jsonl")
    found, told = prepared(written(tmp_path, asked()), evaluation=Dataset(other))
    assert len(found.evaluation) == 2
    assert told["leak-question"].where.line == 6
    assert len(found.hashes) == 2


def test_inspection_tells_turns_labels_and_lengths(tmp_path: Path) -> None:
    found = inspect(Dataset(written(tmp_path, [*intents(), {"text": "odd", "label": "Disk"}, intents()[0]])), "llm")
    assert found.format == "classification"
    assert found.counts["label:disk"] == 31
    codes = {finding.code: finding.first[0].where.line for finding in found.findings}
    assert {"rare-label", "label-spelling", "duplicate-row", "label-prompt"} <= set(codes)
    assert codes["duplicate-row"] == 62
    assert "disk" in found.conversations[0].question
    assert found.advice
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b {{name}}"}] * 3
    chat = inspect(Dataset(written(tmp_path, [{"messages": talk}])), "llm")
    assert (chat.counts["turns:most"], chat.counts["stage:sft"]) == (3, 1)
    assert "placeholder-unfilled" in {finding.code for finding in chat.findings}


def test_the_copy_keeps_the_fields_and_leaves_out_what_cannot_be_used(tmp_path: Path) -> None:
    rows = [{"id": n, **row} for n, row in enumerate(asked(8))]
    rows += [{"id": 90, "instruction": "x\u200b", "output": "<b>y</b> "}, {"id": 91, **asked(8)[2]},
             {"id": 92, "instruction": "x", "output": ""}]  # fmt: skip
    fixed = fix(Dataset(written(tmp_path, rows)), tmp_path / "clean.jsonl", "llm")
    assert (fixed.read, fixed.kept, fixed.done["duplicate-row"]) == (11, 9, 1)
    kept = [json.loads(line) for line in (tmp_path / "clean.jsonl").read_text(encoding="utf-8").splitlines()]
    assert kept[-1] == {"id": 90, "instruction": "x", "output": "<b>y</b>"}
    again = inspect(Dataset(str(tmp_path / "clean.jsonl")), "llm")
    assert not [finding for finding in again.findings if finding.severity != "note"]


@pytest.mark.parametrize("name", [name for name in samples() if not name.startswith("faq")])
def test_the_samples_are_clean(name: str) -> None:
    found = inspect(Dataset(f"sample:{name}"), "llm")
    assert found.usable
    assert [finding.code for finding in found.findings if finding.severity == "warning"] == []
    done, _ = prepared(f"sample:{name}")
    assert done.evaluation
    assert bool(done.labels) == name.startswith("intents")


def test_the_length_advised_has_room_for_a_chat_template(tmp_path: Path) -> None:
    """Short rows lost the end of the question: what a template puts around both was not counted."""
    file = tmp_path / "short.jsonl"
    rows = [{"prompt": f"{'word ' * 12}{n}", "completion": f"{'more ' * 12}{n}"} for n in range(40)]
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    found = inspect(Dataset(str(file)), task="llm")
    longest = max(one.tokens[100] for one in found.lengths if one.role == "conversation")
    assert found.advice is not None and found.advice.max_length >= longest + 10
