"""Several datasets in one run: mappings of their own, weights, repeats, and nothing measured on that is trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tunewiz.backends.stages.first_rows import FirstRows
from tunewiz.backends.stages.language_model import chat_plan_of
from tunewiz.backends.stages.retrieval import plan_of
from tunewiz.data.chat.prepare import prepare_llm
from tunewiz.data.retrieval.prepare import load, prepare, save
from tunewiz.presets.yaml.library import loads, open_preset
from tunewiz.presets.yaml.writing import dumps
from tunewiz.problems import BadData, BadPreset, Problem

NOUNS = ["kettle", "ladder", "violin", "anchor", "basket", "lantern", "compass", "hammer"]
ACTS = ["repair", "paint", "carry", "store", "measure", "sharpen"]


def _pair(number: int, who: str) -> tuple[str, str]:
    noun, act = NOUNS[number % len(NOUNS)], ACTS[number // len(NOUNS) % len(ACTS)]
    return (
        f"{who}: how do I {act} a {noun} of kind {number}",
        f"To {act} {noun} {number}, {who} takes tool {number * 7}.",
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [dict(zip(("query", "positive"), _pair(n, "Ann"), strict=True)) for n in range(120)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    lines = [f"{n};{question};{answer}" for n in range(200) for question, answer in [_pair(n, "汤姆")]]
    lines += [f"{n};{question};{answer}" for n in range(7) for question, answer in [_pair(n, "Ann")]]
    (tmp_path / "b.csv").write_bytes(("编号;提问;回复\n" + "\n".join(lines) + "\n").encode("gb18030"))
    scored = [{"sentence1": f"{noun} {n}", "sentence2": f"a {noun}", "score": n / 10} for n, noun in enumerate(NOUNS)]
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in scored), encoding="utf-8")
    return tmp_path


def _preset(folder: Path, train: Any, *more: str) -> Any:
    text = json.dumps([{**one, "path": str(folder / one["path"])} if isinstance(one, dict) else str(folder / one)
                       for one in train])  # fmt: skip
    return open_preset("embedding/starter", [f"data.train={text}", *more]).preset


WEIGHED = [
    "a.jsonl",
    {"path": "b.csv", "columns": {"query": "提问", "positive": "回复"}, "encoding": "gb18030", "weight": 0.3},
]


def test_each_dataset_has_its_mapping_and_gives_its_share(folder: Path) -> None:
    preset, told = _preset(folder, WEIGHED), list[Problem]()
    assert loads(dumps(preset)) == preset
    prepared = prepare(plan_of(preset), told.append)
    first, second = prepared.sources
    assert (first.rows, first.repeated, second.rows, second.repeated) == (120, 0, 207, 7)
    assert first.train == 120 - first.held_out
    assert second.train == round(0.3 * (200 - second.held_out))
    assert first.held_out and second.held_out
    assert first.held_out + second.held_out == len(prepared.evaluation.queries)
    # Held out before anything is drawn: what the weight leaves out is not measured on either.
    trained = {example.query for example in prepared.groups}
    assert not trained & set(prepared.evaluation.queries.values())
    assert {example.source for example in prepared.groups} == {first.name, second.name}
    assert len(prepared.groups) == first.train + second.train
    assert {problem.code for problem in told} >= {"datasets", "repeated-across-datasets"}
    (line,) = [problem.message.text("en") for problem in told if problem.code == "datasets"]
    assert f"{second.train} trained on (weight 0.3)" in line
    assert prepare(plan_of(preset), told.append) == prepared  # the same draw every time
    other = prepare(plan_of(_preset(folder, WEIGHED, "training.seed=7")), told.append)
    assert {one.query for one in other.groups} != trained
    save(prepared, folder / "out")
    assert load(folder / "out") == prepared


def test_a_weight_above_one_repeats(folder: Path) -> None:
    mapped = ("data.columns={query: 提问, positive: 回复}", "data.encoding=gb18030")
    preset = _preset(folder, [{"path": "a.jsonl", "weight": 2.5}, "b.csv"], *mapped)
    prepared = prepare(plan_of(preset), lambda _: None)
    first = prepared.sources[0]
    assert first.train == round(2.5 * (120 - first.held_out))
    assert prepared.sources[1].train == 200 - prepared.sources[1].held_out  # the section's mapping, where it fits


def test_what_is_wrong_names_its_dataset(folder: Path) -> None:
    with pytest.raises(BadData) as fault:
        prepare(plan_of(_preset(folder, ["a.jsonl", "gone.csv", "lost.csv"])), lambda _: None)
    assert [Path(problem.where.file).name for problem in fault.value.problems] == ["gone.csv", "lost.csv"]
    found = FirstRows(_preset(folder, ["a.jsonl", "gone.csv"])).problems
    assert [(problem.code, problem.where.key) for problem in found] == [("file-not-found", "data.train.1")]
    with pytest.raises(BadData, match=r"a\.jsonl has queries .*c\.jsonl has pairs"):
        prepare(plan_of(_preset(folder, ["a.jsonl", "c.jsonl"])), lambda _: None)
    assert FirstRows(_preset(folder, ["a.jsonl", "c.jsonl"])).problems
    for wrong, said in (("weight: 0", "above 0"), ("weigth: 1", "Did you mean weight"), ("rows: 1", "no key rows")):
        with pytest.raises(BadPreset, match=said):
            open_preset("embedding/starter", [f"data.train=[{{path: x, {wrong}}}]"])


def test_conversations_of_several_files(tmp_path: Path) -> None:
    asked = [{"instruction": f"{act} the {noun}", "output": f"I {act} it."} for noun in NOUNS for act in ACTS]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked), encoding="utf-8")
    lines = [f"please {act} my {noun} today,{'urgent' if act < 'p' else 'later'}" for noun in NOUNS for act in ACTS]
    (tmp_path / "y.csv").write_text("\n".join(["text,label", *lines]) + "\n", encoding="utf-8")
    train = json.dumps([{"path": str(tmp_path / "x.jsonl"), "weight": 2}, str(tmp_path / "y.csv")])
    preset: Any = open_preset("llm/starter", [f"data.train={train}"]).preset
    told: list[Problem] = []
    prepared = prepare_llm(chat_plan_of(preset), told.append)
    first, second = prepared.sources
    assert first.train == 2 * (first.rows - first.held_out - first.validation)
    assert first.train + second.train == len(prepared.train)
    assert prepared.labels == ()
    asked_for = [row for row in prepared.train if row.source == second.name]
    assert all("urgent" in row.question and not row.label for row in asked_for)  # the label is an answer
    assert "labels-as-answers" in {problem.code for problem in told}
    assert not {row.question for row in prepared.train} & {row.question for row in prepared.evaluation}
