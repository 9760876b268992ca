"""The memory that a preset of any task needs, by what is known of its model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from presets import memory, memory_llm
from presets.families import Known
from presets.memory import Estimate
from presets.preset import Preset
from presets.retrieval import RetrievalPreset
from presets.tasks.llm import LlmPreset


def of_known(preset: Preset, known: Known, half: bool = True) -> Estimate | None:
    """With a model that a family knows; ``None`` where model and task do not go together.

    ``half``: whether precision auto means 16 bit on the device.
    """
    if isinstance(preset, LlmPreset):
        if "llm" not in known.family.tasks:
            return None
        return memory_llm.of_preset(preset, memory_llm.decoder(known.size, known.family.normalised_queries), half)
    return memory.of_preset(preset, known.size, half) if isinstance(preset, RetrievalPreset) else None


def of_config(preset: Preset, config: Mapping[str, Any], half: bool = True) -> Estimate | None:
    """With a model that only its ``config.json`` tells of; ``None`` if it lacks the numbers."""
    if isinstance(preset, LlmPreset):
        decoder = memory_llm.decoder_of(config)
        return memory_llm.of_preset(preset, decoder, half) if decoder else None
    shape = memory.shape_of(config) if isinstance(preset, RetrievalPreset) else None
    return memory.of_shape(preset, shape, half) if shape and isinstance(preset, RetrievalPreset) else None
