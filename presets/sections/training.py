"""How training goes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from data.language import N_
from presets.sections.base import Section, about
from presets.sections.optimisation import Extent, Optimisation


class EarlyStopping(Section):
    """Stop when evaluation during training no longer improves."""

    enabled: bool = Field(
        False,
        title=N_("Early stopping"),
        description=N_("End training when the primary metric stops improving; needs evaluations during training."),
        json_schema_extra=about(typical=N_("false for one or two epochs, true for many.")),
    )
    patience: int = Field(
        3,
        ge=1,
        le=100,
        title=N_("Patience"),
        description=N_("Evaluations in a row without improvement before training ends."),
        json_schema_extra=about(
            typical=N_("3 to 5."),
            larger=N_("Trains longer in the hope of a late gain."),
            smaller=N_("May stop at a dip that would have passed."),
        ),
    )
    threshold: float = Field(
        0.0,
        ge=0,
        le=1,
        title=N_("Threshold"),
        description=N_("Smallest rise of the metric that counts as an improvement."),
        json_schema_extra=about(
            typical=N_("0 to 0.002."), larger=N_("Stops sooner."), smaller=N_("Any rise counts, chance ones too.")
        ),
    )


class Training(Optimisation, Extent):
    """How training goes: extent and optimisation, then what a run does beside them."""

    precision: Literal["auto", "bf16", "fp16", "fp32"] = Field(
        "auto",
        title=N_("Precision"),
        description=N_("Number format of the computation."),
        json_schema_extra=about(
            typical=N_("auto."),
            choices={
                "auto": N_("bf16 where the device computes it fast, otherwise fp32"),
                "bf16": N_("half the memory, 2 to 3 times as fast, steady"),
                "fp16": N_("for GPUs older than 2020 (V100, T4); can overflow"),
                "fp32": N_("slow and exact"),
            },
        ),
    )
    gradient_checkpointing: bool = Field(
        False,
        title=N_("Gradient checkpointing"),
        description=N_("Compute parts twice instead of keeping them: much less memory, about a third slower."),
        json_schema_extra=about(typical=N_("false; true when memory runs out. Not together with cached losses.")),
    )
    group_by_length: bool = Field(
        True,
        title=N_("Group by length"),
        description=N_("Put texts of similar length into one batch, so that less is computed on padding."),
        json_schema_extra=about(typical=N_("true: the same quality in less time.")),
    )
    log_every: int = Field(
        10,
        ge=1,
        le=100_000,
        title=N_("Log every"),
        description=N_("Steps between two reports of loss and speed."),
        json_schema_extra=about(typical=N_("10; 1 for very short runs.")),
    )
    evaluations: int = Field(
        4,
        ge=0,
        le=1000,
        title=N_("Evaluations"),
        description=N_("How often the model is measured during training, evenly spread; 0 never."),
        json_schema_extra=about(
            typical=N_("2 to 10."),
            larger=N_("A finer curve and a better chance to catch the best moment; each one takes time."),
            smaller=N_("Faster."),
        ),
    )
    keep_checkpoints: int = Field(
        2,
        ge=1,
        le=100,
        title=N_("Keep checkpoints"),
        description=N_("How many checkpoints stay on disk during training; older ones are deleted, the best is kept."),
        json_schema_extra=about(
            typical=N_("1 to 3."), larger=N_("More to go back to; with adamw each is three times the trained weights.")
        ),
    )
    best_checkpoint: bool = Field(
        True,
        title=N_("Best checkpoint"),
        description=N_("End with the checkpoint that measured best during training, not with the last one."),
        json_schema_extra=about(typical=N_("true; needs evaluations during training.")),
    )
    workers: int = Field(
        0,
        ge=0,
        le=64,
        title=N_("Loader workers"),
        description=N_("Extra processes that prepare batches; 0 does it in the training process."),
        json_schema_extra=about(typical=N_("0; 2 to 8 when a GPU waits for data.")),
    )
    early_stopping: EarlyStopping = Field(
        default_factory=EarlyStopping,
        title=N_("Early stopping"),
        description=N_("When to end before all epochs are done."),
    )
