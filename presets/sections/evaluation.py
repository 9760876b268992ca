"""How the model is measured, exported and tracked."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from data.language import N_
from presets.sections.base import Section


class Evaluation(Section):
    """Retrieval measures before and after training."""

    k: list[int] = Field(
        [1, 5, 10], min_length=1, title=N_("Cut-offs"), description=N_("k of Recall@k, MRR@k, nDCG@k.")
    )
    metric: str = Field("ndcg@10", title=N_("Primary metric"), description=N_("What the verdict goes by."))
    baseline: bool = Field(True, title=N_("Baseline"), description=N_("Measure the untouched model first."))
    batch_size: int = Field(64, ge=1, le=65536, title=N_("Batch size"), description=N_("Texts encoded at once."))
    bootstrap: int = Field(
        10_000, ge=100, le=1_000_000, title=N_("Bootstrap samples"), description=N_("For the confidence interval.")
    )


class Export(Section):
    """What is left when the run is over."""

    merge: bool = Field(True, title=N_("Merge adapter"), description=N_("Also write a model with the adapter merged."))
    keep_checkpoints: bool = Field(
        False, title=N_("Keep checkpoints"), description=N_("Keep training checkpoints after the export.")
    )


class Tracking(Section):
    """Where progress is also sent."""

    trackers: list[Literal["tensorboard", "wandb", "swanlab", "trackio"]] = Field(
        default_factory=list, title=N_("Trackers"), description=N_("A failing tracker never fails the run.")
    )
    project: str = Field("tunewiz", title=N_("Project"), description=N_("Name of the tracker's project."))
