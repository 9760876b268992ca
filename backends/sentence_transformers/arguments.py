"""A preset in the terms of sentence-transformers' training arguments."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from presets.preset import Preset
from presets.sections.training import Training

OPTIMIZERS: Final[Mapping[str, str]] = {
    "adamw": "adamw_torch_fused",
    "adamw_8bit": "adamw_bnb_8bit",
    "adafactor": "adafactor",
    "sgd": "sgd",
}


@dataclass(frozen=True)
class Length:
    """How long a training is: batches an epoch, and steps in all (batches / accumulation x epochs, or the cap)."""

    batches: int
    steps: int

    @classmethod
    def of(cls, training: Training, batches: int) -> Length:
        """The length of ``training`` over ``batches`` an epoch; counted as transformers counts."""
        an_epoch = max(1, math.ceil(batches / training.accumulation))
        steps = training.max_steps if training.max_steps > 0 else math.ceil(training.epochs * an_epoch)
        return cls(batches, steps)


def measured_at(steps: int, evaluations: int) -> tuple[int, ...]:
    """The steps after which the model is measured: evenly spread, the last one included."""
    return tuple(sorted({max(1, round(steps * part / evaluations)) for part in range(1, evaluations + 1)}))


def settings(preset: Preset, precision: str, device: str) -> dict[str, Any]:
    """Arguments that follow from the preset alone, in the library's names."""
    training = preset.training
    on_cpu = device == "cpu"
    return {
        "num_train_epochs": training.epochs,
        "max_steps": training.max_steps,
        "per_device_train_batch_size": training.batch_size,
        "gradient_accumulation_steps": training.accumulation,
        "learning_rate": training.learning_rate,
        "lr_scheduler_type": training.scheduler,
        "weight_decay": training.weight_decay,
        "max_grad_norm": training.max_grad_norm,
        "optim": OPTIMIZERS[training.optimizer],
        "bf16": precision == "bf16",
        "fp16": precision == "fp16",
        "use_cpu": on_cpu,
        "seed": training.seed,
        "data_seed": training.seed,
        "gradient_checkpointing": training.gradient_checkpointing,
        "gradient_checkpointing_kwargs": {"use_reentrant": False} if training.gradient_checkpointing else None,
        "dataloader_num_workers": training.workers,
        "dataloader_pin_memory": not on_cpu,
        "logging_steps": training.log_every,
        "logging_first_step": True,
        # A loss of nan must be seen: by default it is replaced by the mean of the losses before it.
        "logging_nan_inf_filter": False,
        "save_total_limit": training.keep_checkpoints,
        "report_to": "none",
        "disable_tqdm": True,
    }


def schedule(training: Training, length: Length, metric: str | None) -> dict[str, Any]:
    """Arguments that need the number of steps; ``metric`` is what a validation set is measured by, if there is one.

    The library saves and measures at fixed intervals; ours are set by a callback, so its interval is the whole.
    """
    arguments: dict[str, Any] = {
        "warmup_steps": math.ceil(training.warmup * length.steps),
        "save_strategy": "steps",
        "save_steps": length.steps,
        "eval_strategy": "no",
    }
    if metric is None or not training.evaluations:
        return arguments
    return arguments | {
        "eval_strategy": "steps",
        "eval_steps": length.steps,
        "eval_on_start": True,
        "load_best_model_at_end": training.best_checkpoint,
        "metric_for_best_model": f"eval_{metric}",
        "greater_is_better": True,
    }
