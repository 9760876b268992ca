"""Every preset for rerankers, pipelines and comparisons that ships: it loads, is sound, and says true things."""

from __future__ import annotations

import re

import pytest

from presets import families, library, memory
from presets.sections.method import Lora
from presets.tasks.comparison import ComparisonPreset
from presets.tasks.pipeline import PipelinePreset
from presets.tasks.reranker import RerankerPreset

RERANKERS = [name for name in library.names() if name.startswith("reranker/")]
WHOLE = [name for name in library.names() if name.startswith(("pipeline/", "comparison/"))]


def _load(name: str) -> RerankerPreset:
    preset = library.load(name)
    assert isinstance(preset, RerankerPreset)
    return preset


def test_the_promised_models_are_there() -> None:
    wanted = {"starter", "bge-reranker-base", "bge-reranker-large", "bge-reranker-v2-m3", "ms-marco-minilm"}
    wanted |= {"qwen3-reranker-0.6b-lora", "jina-reranker-v2"}
    assert {f"reranker/{name}" for name in wanted} <= set(RERANKERS)
    assert {"pipeline/starter", "comparison/negatives"} <= set(WHOLE)


@pytest.mark.parametrize("name", [*RERANKERS, *WHOLE])
def test_a_shipped_preset_is_sound(name: str) -> None:
    preset = _load(name)
    assert preset.name == name.rpartition("/")[2]
    assert [problem.line("en") for problem in preset.problems() if problem.severity != "note"] == []
    known = families.lookup(preset.model.id)
    assert known is not None
    assert "reranker" in known.family.tasks
    assert library.loads(library.dumps(preset)) == preset
    text = library.find(name).read_text(encoding="utf-8")
    assert f"tunewiz run {name}" in text
    assert "# For: " in text
    assert "# 适合：" in text


@pytest.mark.parametrize("name", [name for name in RERANKERS if not name.startswith("reranker/flag-")])
def test_its_header_tells_the_memory(name: str) -> None:
    preset, text = _load(name), library.find(name).read_text(encoding="utf-8")
    known = families.lookup(preset.model.id)
    assert known is not None
    needed = memory.of_preset(preset, known.size)
    shown = [f"{number / memory.GB:.0f}" for number in (needed.expected, needed.low, needed.high)]
    english = re.search(r"about (\d+) GB \((\d+) to (\d+)\)", text)
    assert english is not None
    assert list(english.groups()) == shown
    assert isinstance(preset.method, Lora) == name.endswith("-lora")


def test_a_licence_that_forbids_commercial_use_is_told() -> None:
    assert "licence" in [problem.code for problem in _load("reranker/jina-reranker-v2").problems()]


def test_a_pipeline_gives_both_parts_the_same_data_and_seed() -> None:
    preset = library.load("pipeline/starter", ["training.seed=7", "data.evaluation.fraction=0.2"])
    assert isinstance(preset, PipelinePreset)
    first, second = preset.first(), preset.reranker("/somewhere")
    assert first.training.seed == second.training.seed == 7
    assert first.data.evaluation == second.data.evaluation
    assert first.data.negatives != second.data.negatives
    assert (second.candidates.strategy, second.candidates.model) == ("dense", "/somewhere")


def test_a_comparison_varies_the_strategy_and_nothing_else() -> None:
    preset = library.load("comparison/negatives")
    assert isinstance(preset, ComparisonPreset)
    one, other = preset.variant("random"), preset.variant("dense")
    assert other.data.negatives.strategy == "dense"
    same = one.data.negatives.model_copy(update={"strategy": "dense"})
    assert same == other.data.negatives
    assert one.training == other.training
