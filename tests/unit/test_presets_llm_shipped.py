"""Every preset for language models that ships: it loads, makes sense, and says true things of itself."""

from __future__ import annotations

import re

import pytest

from presets import families, library, memory, memory_llm
from presets.tasks.llm import LlmPreset

NAMES = [name for name in library.names() if name.startswith("llm/") and "/starter" not in name]


def _load(name: str) -> LlmPreset:
    preset = library.load(name)
    assert isinstance(preset, LlmPreset)
    return preset


def test_the_promised_models_are_there() -> None:
    wanted = [f"qwen3-{size}-{kind}" for size in ("0.6b", "1.7b", "4b", "8b") for kind in ("lora", "classify-lora")]
    wanted += ["qwen3-4b-qlora", "qwen3-0.6b-full", "qwen2.5-7b-qlora", "llama-3.2-1b-lora", "gemma-3-270m-lora"]
    assert {f"llm/{name}" for name in wanted} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_preset_is_sound(name: str) -> None:
    preset = _load(name)
    assert preset.name == name.rpartition("/")[2]
    assert [problem.line("en") for problem in preset.problems() if problem.severity != "note"] == []
    known = families.lookup(preset.model.id)
    assert known is not None
    assert known.size.id == preset.model.id
    assert name.endswith(f"-{preset.method.type}")
    assert preset.data.train.startswith("sample:intents-" if "classify" in name else "sample:instructions-")
    low, high = preset.method.usual_rate()
    assert low <= preset.training.learning_rate <= high


@pytest.mark.parametrize("name", NAMES)
def test_its_header_tells_the_command_and_the_memory(name: str) -> None:
    text = library.find(name).read_text(encoding="utf-8")
    assert f"tunewiz run {name}" in text
    assert "# For: " in text
    assert "# 适合：" in text
    preset = _load(name)
    known = families.lookup(preset.model.id)
    assert known is not None
    shape = memory_llm.decoder(known.size, known.family.normalised_queries)
    needed = memory_llm.of_preset(preset, shape)
    shown = [f"{number / memory.GB:.0f}" for number in (needed.expected, needed.low, needed.high)]
    english = re.search(r"about (\d+) GB \((\d+) to (\d+)\)", text)
    chinese = re.search(r"约 (\d+) GB（(\d+) 到 (\d+)）", text)
    assert english is not None
    assert chinese is not None
    assert list(english.groups()) == shown == list(chinese.groups())
