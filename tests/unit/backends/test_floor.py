"""Counted words as the floor of a classification: trained and measured on the rows of the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunewiz.backends.engines.llama_factory import LlamaFactory
from tunewiz.backends.evaluate.records import FLOOR
from tunewiz.backends.language_models.floor import measure_floor
from tunewiz.backends.reports.facts import gather_language_model
from tunewiz.backends.reports.language_model_report import write_report
from tunewiz.backends.runs.create import create
from tunewiz.backends.stages.language_model import chat_plan_of
from tunewiz.data.chat.prepare import prepare_llm
from tunewiz.data.chat.prepared import PreparedLlm, save
from tunewiz.data.rows.conversations import Conversation, Turn
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.presets.yaml import library

#: The untouched model is not measured.
ALONE = ["evaluation.baseline=false"]


def row(text: str, label: str) -> Conversation:
    asked = f"Which of red, blue is this?\n\n{text}\n\nAnswer with the label only."
    return Conversation((Turn("user", asked), Turn("assistant", label)), label=label)


def rows(count: int, start: int = 0) -> list[Conversation]:
    kinds = (("退款什么时候到账", "blue"), ("how do I log in", "red"))
    return [row(f"{kinds[place % 2][0]} {place}", kinds[place % 2][1]) for place in range(start, start + count)]


def test_counted_words_learn_from_the_training_rows_alone() -> None:
    prepared = PreparedLlm("sft", train=rows(40), evaluation=rows(20, 100), labels=("red", "blue"))
    found = measure_floor(prepared, rows=10, seed=1)
    assert found is not None
    assert found.metrics == {"accuracy": 1.0, "macro_f1": 1.0}
    assert len(found.per_query) == 10
    turned = [row(one.question.split("\n\n")[1], {"red": "blue", "blue": "red"}[one.label]) for one in rows(40)]
    wrong = measure_floor(PreparedLlm("sft", turned, [], rows(20, 100), ("red", "blue")), 10, 1)
    assert wrong is not None
    assert wrong.metrics["accuracy"] == 0.0


@pytest.mark.parametrize("labels", [(), ("red", "blue")])
def test_where_nothing_can_be_told_apart_there_is_no_floor(labels: tuple[str, ...]) -> None:
    same = [row(f"text {place}", "red") for place in range(5)]
    assert measure_floor(PreparedLlm("sft", same, [], same, labels), 10, 1) is None


def test_a_run_writes_its_floor_and_the_report_tells_it(tmp_path: Path) -> None:
    preset = library.load("llm/starter-classify", ["evaluation.floor=true", "evaluation.rows=40", *ALONE])
    assert isinstance(preset, LlmPreset)
    run = create(preset, tmp_path, "floor")
    save(prepare_llm(chat_plan_of(preset), lambda _problem: None), run.data)
    LlamaFactory().baseline(run, preset)  # before anything is trained: seconds that may save minutes
    facts = gather_language_model(run, preset)
    assert facts.floor is not None
    assert facts.floor.metrics["accuracy"] > 0.3  # one of many labels by chance is far less
    facts.floor.write(run.report / "after.json")  # a model that is just as good
    write_report(run, preset)
    told = (run.report / "report.md").read_text(encoding="utf-8")
    assert f"accuracy {facts.floor.metrics['accuracy']:.4f}" in told
    assert "is not surely better: +0.0000 accuracy" in told
    assert (run.report / FLOOR).is_file()


def test_rows_without_labels_are_told_of_before_the_training(tmp_path: Path) -> None:
    preset = library.load("llm/starter", ["evaluation.floor=true", *ALONE])
    assert isinstance(preset, LlmPreset)
    run = create(preset, tmp_path, "floor")
    save(PreparedLlm("sft", train=rows(4), evaluation=rows(2, 100)), run.data)
    LlamaFactory().baseline(run, preset)
    told = run.events_file.read_text(encoding="utf-8")
    assert "floor-without-labels" in told
    assert "--map text=COLUMN --map label=COLUMN" in told
