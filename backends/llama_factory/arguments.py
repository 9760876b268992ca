"""A preset in the terms of LLaMA-Factory's training arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from backends.sentence_transformers.arguments import settings
from data.conversations import Stage
from presets.sections.llm_training import LlmTraining
from presets.tasks.llm import LlmPreset

#: Keys of the shared settings that LLaMA-Factory sets itself.
_OWN: Final = ("gradient_checkpointing", "gradient_checkpointing_kwargs")
#: Stages whose rows are one sequence each, which can be sorted by length.
_ONE_TEXT: Final = ("sft", "pretrain")
_ATTENTION: Final = {"sdpa": "sdpa", "flash_attention_2": "fa2", "eager": "disabled"}
#: Arguments that decide where things are and what is learned: they have keys of their own.
OWNED: Final[Mapping[str, str]] = {
    "model_name_or_path": "model.id",
    "stage": "stage",
    "finetuning_type": "method.type",
    "template": "template",
    "dataset": "data.train",
    "eval_dataset": "data.evaluation",
    "dataset_dir": "data.train",
    "output_dir": "name",
    "do_train": "task",
    "do_predict": "evaluation",
    "do_eval": "evaluation",
    "predict_with_generate": "evaluation.answers",
    "resume_from_checkpoint": "name",
    "overwrite_output_dir": "name",
}


@dataclass(frozen=True)
class Places:
    """What is known once data and model are there: folders, the resolved template, the kind of rows."""

    model: str
    data: str
    output: str
    template: str
    rows: Stage
    validated: bool
    thinking: bool = False
    resume: str = ""


def stage_of(preset: LlmPreset, rows: Stage) -> str:
    """The stage to train: the preset's, or what fits the rows."""
    auto: dict[Stage, str] = {"sft": "sft", "pretrain": "pretrain", "preference": "dpo", "kto": "kto"}
    return auto[rows] if preset.stage == "auto" else preset.stage


def rows_wanted(preset: LlmPreset) -> Stage | None:
    """The kind of rows that the preset's stage learns from; ``None`` for auto."""
    kinds: dict[str, Stage] = {"sft": "sft", "pretrain": "pretrain", "kto": "kto"}
    return None if preset.stage == "auto" else kinds.get(preset.stage, "preference")


def arguments(preset: LlmPreset, places: Places, precision: str, device: str) -> dict[str, Any]:
    """Everything ``run_exp`` is called with; the preset's ``backend_options`` win."""
    training = preset.training
    shared = {key: value for key, value in settings(preset, precision, device).items() if key not in _OWN}
    stage = stage_of(preset, places.rows)
    return {
        "model_name_or_path": places.model,
        "trust_remote_code": preset.model.trust_remote_code,
        "do_train": True,
        **_stage(preset, stage),
        **preset.method.arguments(),
        "dataset": "train",
        "dataset_dir": places.data,
        "template": places.template,
        "enable_thinking": places.thinking,
        "cutoff_len": training.max_length,
        **_rows(training, stage),
        "output_dir": places.output,
        **shared,
        "warmup_steps": training.warmup,
        "disable_gradient_checkpointing": not training.gradient_checkpointing,
        "train_sampling_strategy": "group_by_length" if training.group_by_length and stage in _ONE_TEXT else "random",
        "include_num_input_tokens_seen": "non_padding",
        **schedule(preset, places.validated),
        **_kernels(training),
        **({"resume_from_checkpoint": places.resume} if places.resume else {}),
        **preset.backend_options,
    }


def _stage(preset: LlmPreset, stage: str) -> dict[str, Any]:
    options = preset.preference
    pairs = {"pref_beta": options.beta, "pref_ftx": options.sft_weight}
    known: dict[str, dict[str, Any]] = {
        "sft": {"stage": "sft"},
        "pretrain": {"stage": "pt"},
        "dpo": {"stage": "dpo", "pref_loss": "sigmoid", "dpo_label_smoothing": options.label_smoothing} | pairs,
        "orpo": {"stage": "dpo", "pref_loss": "orpo", "pref_beta": options.beta},
        "simpo": {"stage": "dpo", "pref_loss": "simpo", "simpo_gamma": options.gamma} | pairs,
        "kto": {"stage": "kto"} | pairs,
    }
    return known[stage]


def _rows(training: LlmTraining, stage: str) -> dict[str, Any]:
    """How rows become sequences. Packed rows of sft are kept from seeing each other; texts to continue are not."""
    found: dict[str, Any] = {"packing": training.packing}
    if stage == "sft":
        found |= {"neat_packing": True} if training.packing else {}
        found |= {"mask_history": True} if training.trained_on == "last_answer" else {}
        found |= {"train_on_prompt": True} if training.trained_on == "everything" else {}
    return found


def schedule(preset: LlmPreset, validated: bool) -> dict[str, Any]:
    """Checkpoints, and measures on validation rows where there are any, at even shares of the steps."""
    training = preset.training
    share = _share(training.evaluations or 1)
    found: dict[str, Any] = {"save_strategy": "steps", "save_steps": share, "eval_strategy": "no"}
    if not validated or not training.evaluations:
        return found
    found |= {
        "eval_dataset": "validation",
        "eval_strategy": "steps",
        "eval_steps": share,
        "eval_on_start": True,
        "per_device_eval_batch_size": preset.evaluation.batch_size,
        "load_best_model_at_end": training.best_checkpoint,
        "metric_for_best_model": "eval_loss",
        "greater_is_better": False,
    }
    return found | (
        {"early_stopping_steps": training.early_stopping.patience} if training.early_stopping.enabled else {}
    )


def _share(times: int) -> float:
    """``1 / times`` as a share of all steps: transformers reads numbers below 1 so, and 1 as a single step."""
    return min(0.9999, 1 / times)


def _kernels(training: LlmTraining) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if training.neftune:
        found["neftune_noise_alpha"] = training.neftune
    if training.attention != "auto":
        found["flash_attn"] = _ATTENTION[training.attention]
    if training.liger:
        found["enable_liger_kernel"] = True
    return found
