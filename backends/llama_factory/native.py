"""A preset as the YAML file that ``llamafactory-cli train`` would take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from backends.llama_factory.arguments import Places, arguments, rows_wanted
from backends.llama_factory.templates import own_template
from backends.precision import choose
from backends.runs.hardware import gpus
from backends.sources import where_cached
from data.conversations import Stage
from presets.tasks.llm import LlmPreset


def native(preset: LlmPreset) -> str:
    """The arguments as they follow from the preset; what depends on data, or on where the run is, stands in words."""
    device, precision = device_and_precision(preset)
    located = where_cached(preset.model)
    folder = Path(located.place) if located else None
    rows: Stage = rows_wanted(preset) or "sft"
    template = own_template(preset.model.id, folder) if preset.template == "auto" else preset.template
    validated = preset.data.evaluation.validation_fraction != 0
    places = Places(str(folder or preset.model.id), "RUN/data/llama_factory", "RUN/checkpoints", template or "auto",
                    rows, validated)  # fmt: skip
    return dumped(arguments(preset, places, precision, device))


def device_and_precision(preset: LlmPreset) -> tuple[str, str]:
    """Where and in what the preset would be trained here."""
    device = "cuda" if preset.launch.device != "cpu" and gpus() else "cpu"
    wanted = preset.training.precision
    # On a GPU the choice asks torch, which is too slow here; auto is bf16 on every GPU since 2020.
    return device, "bf16" if device == "cuda" and wanted == "auto" else choose(wanted, device)[0]


def dumped(told: dict[str, Any]) -> str:
    """``told`` as YAML."""
    kept = {key: value for key, value in told.items() if value is not None}
    text: str = yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, width=120)
    return text
