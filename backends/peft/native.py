"""A preset in the terms of peft and the transformers Trainer."""

from __future__ import annotations

from typing import Any

from backends.llama_factory.arguments import schedule
from backends.llama_factory.native import device_and_precision, dumped
from backends.sentence_transformers.arguments import settings
from presets.methods.with_peft import WithPeft
from presets.tasks.llm import LlmPreset


def adapter(preset: LlmPreset) -> tuple[str, dict[str, Any]]:
    """The class of peft's configuration, and its options. Raises :class:`TypeError` for a method of another backend."""
    method = preset.method
    if not isinstance(method, WithPeft):
        raise TypeError(f"{method.type} is trained by {method.backend}")
    return method.configuration, {"task_type": "CAUSAL_LM", **method.options()}


def arguments(preset: LlmPreset, precision: str, device: str, validated: bool) -> dict[str, Any]:
    """The Trainer's arguments that follow from the preset."""
    training = preset.training
    return {
        **settings(preset, precision, device),
        # Virtual tokens reach the layers as keys and values, which a repeated forward pass would not see.
        "gradient_checkpointing": False,
        "gradient_checkpointing_kwargs": None,
        "warmup_steps": training.warmup,
        "train_sampling_strategy": "group_by_length" if training.group_by_length else "random",
        "include_num_input_tokens_seen": "non_padding",
        "remove_unused_columns": False,
        "label_names": ["labels"],
        **{key: value for key, value in schedule(preset, validated).items() if key not in _ELSEWHERE},
    }


#: Arguments of LLaMA-Factory's own among those of the schedule.
_ELSEWHERE = frozenset({"eval_dataset", "early_stopping_steps"})


def native(preset: LlmPreset) -> str:
    """Both as YAML."""
    device, precision = device_and_precision(preset)
    kind, options = adapter(preset)
    validated = preset.data.evaluation.validation_fraction != 0
    return dumped({kind: options, "TrainingArguments": arguments(preset, precision, device, validated)})
