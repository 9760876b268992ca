"""How training goes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from data.language import N_
from presets.sections.base import Section


class EarlyStopping(Section):
    """Stop when evaluation during training no longer improves."""

    enabled: bool = Field(False, title=N_("Early stopping"), description=N_("Stop when the metric stops improving."))
    patience: int = Field(3, ge=1, le=100, title=N_("Patience"), description=N_("Evaluations without improvement."))
    threshold: float = Field(0.0, ge=0, title=N_("Threshold"), description=N_("Smallest gain that counts."))


class Training(Section):
    """Optimisation settings."""

    epochs: float = Field(1.0, gt=0, le=1000, title=N_("Epochs"), description=N_("Passes over the training data."))
    max_steps: int = Field(-1, ge=-1, title=N_("Max steps"), description=N_("Stop after this many steps; -1: no cap."))
    batch_size: int = Field(64, ge=1, le=65536, title=N_("Batch size"), description=N_("Examples a step and device."))
    accumulation: int = Field(1, ge=1, title=N_("Accumulation"), description=N_("Batches added up before a step."))
    learning_rate: float = Field(2e-5, gt=0, lt=1, title=N_("Learning rate"), description=N_("Size of each step."))
    scheduler: Literal["linear", "cosine", "constant", "constant_with_warmup", "polynomial"] = Field(
        "linear", title=N_("Scheduler"), description=N_("How the learning rate falls.")
    )
    warmup: float = Field(0.1, ge=0, le=1, title=N_("Warm-up"), description=N_("Share of steps that ramp the rate up."))
    weight_decay: float = Field(0.01, ge=0, lt=1, title=N_("Weight decay"), description=N_("Pull of weights to zero."))
    max_grad_norm: float = Field(
        1.0, gt=0, title=N_("Max gradient norm"), description=N_("Gradients are clipped to it.")
    )
    optimizer: Literal["adamw", "adamw_8bit", "adafactor", "sgd"] = Field(
        "adamw", title=N_("Optimizer"), description=N_("The update rule.")
    )
    max_length: int = Field(256, ge=8, le=131072, title=N_("Max length"), description=N_("Tokens kept of each text."))
    precision: Literal["auto", "bf16", "fp16", "fp32"] = Field(
        "auto", title=N_("Precision"), description=N_("Number format; auto: bf16 where the device has it.")
    )
    seed: int = Field(42, ge=0, lt=2**32, title=N_("Seed"), description=N_("Same seed, same machine: same result."))
    gradient_checkpointing: bool = Field(
        False, title=N_("Gradient checkpointing"), description=N_("Less memory, about a third slower.")
    )
    group_by_length: bool = Field(
        True, title=N_("Group by length"), description=N_("Put texts of similar length in one batch: less padding.")
    )
    log_every: int = Field(10, ge=1, title=N_("Log every"), description=N_("Steps between two progress events."))
    evaluations: int = Field(
        4, ge=0, le=1000, title=N_("Evaluations"), description=N_("Evaluations during training; 0: none.")
    )
    keep_checkpoints: int = Field(
        2, ge=1, le=100, title=N_("Keep checkpoints"), description=N_("Older ones are deleted.")
    )
    best_checkpoint: bool = Field(
        True, title=N_("Best checkpoint"), description=N_("End with the checkpoint that measured best, not the last.")
    )
    workers: int = Field(0, ge=0, le=64, title=N_("Loader workers"), description=N_("Processes that load data."))
    early_stopping: EarlyStopping = Field(
        default_factory=EarlyStopping, title=N_("Early stopping"), description=N_("When to stop before the end.")
    )
