"""How the model is measured, exported and tracked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from data.language import N_
from presets.sections.base import Section, about


class Evaluation(Section):
    """Retrieval measures before and after training."""

    k: list[Annotated[int, Field(ge=1, le=1000)]] = Field(
        [1, 5, 10],
        min_length=1,
        max_length=20,
        title=N_("Cut-offs"),
        description=N_("How many of the first results count: the k of Recall@k, MRR@k and nDCG@k."),
        examples=[[1, 5, 10], [1, 3, 10, 100]],
        json_schema_extra=about(
            typical=N_("What your users see: 1 for an answer bot, 5 to 10 for a list, 100 when a reranker follows."),
        ),
    )
    metric: str = Field(
        "ndcg@10",
        title=N_("Primary metric"),
        description=N_(
            "The measure that decides: verdict, best checkpoint and early stopping go by it. ndcg@k rewards good "
            "ranks, mrr@k the first right result, recall@k any rank up to k, map every right result among the first "
            "100."
        ),
        examples=["ndcg@10", "mrr@10", "recall@5", "map"],
        json_schema_extra=about(typical=N_("ndcg@10, the usual measure of retrieval (BEIR, MTEB).")),
    )
    baseline: bool = Field(
        True,
        title=N_("Baseline"),
        description=N_("Measure the untouched model first, so that the gain of training is known and not guessed."),
        json_schema_extra=about(typical=N_("true. Without it a run has no verdict.")),
    )
    batch_size: int = Field(
        64,
        ge=1,
        le=65536,
        title=N_("Evaluation batch size"),
        description=N_("Texts encoded at once when measuring; it changes speed and memory, never the result."),
        json_schema_extra=about(
            typical=N_("32 to 256."), larger=N_("Faster on a GPU, more memory."), smaller=N_("Less memory.")
        ),
    )
    bootstrap: int = Field(
        10_000,
        ge=100,
        le=1_000_000,
        title=N_("Bootstrap samples"),
        description=N_("How often the queries are drawn anew to find how sure the gain is (95% confidence interval)."),
        json_schema_extra=about(
            typical=N_("10000."), larger=N_("A steadier interval, more seconds."), smaller=N_("A rough interval.")
        ),
    )


class Export(Section):
    """What is left when the run is over."""

    merge: bool = Field(
        True,
        title=N_("Merge adapter"),
        description=N_(
            "With LoRA: also write a model with the adapter merged into the weights, which loads like any other model."
        ),
        json_schema_extra=about(typical=N_("true; false keeps only the adapter of a few megabytes.")),
    )
    keep_checkpoints: bool = Field(
        False,
        title=N_("Keep checkpoints at the end"),
        description=N_("Keep the training checkpoints when the model is exported; each is larger than the model."),
        json_schema_extra=about(typical=N_("false; true when you mean to train on from one of them.")),
    )


class Tracking(Section):
    """Where progress is also sent."""

    trackers: list[Literal["tensorboard", "wandb", "swanlab", "trackio"]] = Field(
        default_factory=list,
        title=N_("Trackers"),
        description=N_(
            "Services that also get the curves. Keys come from their own login, never from a preset. A failing tracker "
            "never fails the run."
        ),
        examples=[["tensorboard"], ["wandb"]],
        json_schema_extra=about(
            typical=N_("Empty: the run's own report has the curves too."),
            choices={
                "tensorboard": N_("files in the run's directory, nothing leaves the machine"),
                "wandb": N_("Weights & Biases, needs `wandb login`"),
                "swanlab": N_("SwanLab, needs `swanlab login`"),
                "trackio": N_("Trackio, local first"),
            },
        ),
    )
    project: str = Field(
        "tunewiz",
        min_length=1,
        max_length=128,
        title=N_("Project"),
        description=N_("Name of the project in the trackers."),
    )
