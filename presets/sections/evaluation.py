"""How a model is measured, exported and tracked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field

from tunewiz.language import N_
from tunewiz.presets.sections.section import Batches, Section, about, vary_field

# Names of retrieval measures, as the evaluators read them: ``ndcg@10``, ``mrr@10``, ``recall@5``, ``map`` ...


#: Each may be cut off at a rank (``@k``); without one the first 100 ranks count.
METRICS: Final = ("ndcg", "mrr", "recall", "map", "hit", "precision")
_WRITTEN: Final = re.compile(r"([a-z]+)(?:@([1-9][0-9]{0,3}))?")


@dataclass(frozen=True)
class Metric:
    """A measure; ``k`` is ``None`` where no rank is written."""

    name: str
    k: int | None

    def __str__(self) -> str:
        return self.name if self.k is None else f"{self.name}@{self.k}"


def parse_metric(text: str) -> Metric | None:
    """The measure that ``text`` names, whatever its letters' case; ``None`` if it names none."""
    match = _WRITTEN.fullmatch(text.strip().lower())
    if not match or match[1] not in METRICS:
        return None
    return Metric(match[1], int(match[2]) if match[2] else None)


def metrics_at(cutoffs: list[int]) -> list[str]:
    """All measures at ``cutoffs``, to suggest from."""
    return [*(f"{name}@{k}" for name in METRICS for k in cutoffs if name != "map"), "map"]


class Evaluation(Batches):
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
    general: bool = Field(
        True,
        title=N_("Did it forget?"),
        description=N_(
            "Also measure general data of Tunewiz that is not trained on, before and after, and warn where the tuned "
            "model lost what it could: 48 questions on 170 documents; of a reranker 480 pairs."
        ),
        json_schema_extra=about(
            typical=N_("true. It takes seconds with a small model, a minute or two with a large one on a CPU.")
        ),
    )
    batch_size: int = Field(
        64,
        ge=1,
        le=65536,
        title=N_("Evaluation batch size"),
        description=N_("Texts encoded at once when measuring; it changes speed and memory, never the result."),
        json_schema_extra=about(
            rule=N_("auto, or a whole number from 1 to 65536"),
            typical=N_("32 to 256; auto takes what fits the memory."),
            larger=N_("Faster on a GPU, more memory."),
            smaller=N_("Less memory."),
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


# How a language model is measured.


class LlmEvaluation(Batches):
    """Measures on held-out rows before and after training, with the same template and labels on answers only."""

    baseline: bool = vary_field(Evaluation, "baseline")
    general: bool = vary_field(
        Evaluation,
        "general",
        description=N_(
            "Also measure general prompts of Tunewiz that are not trained on, before and after, and warn where the "
            "tuned model lost what it could: the loss of 48 prompts with good answers, English and Chinese, and four "
            "answers side by side."
        ),
        typical=N_("true. It takes seconds on a GPU; on a CPU about as long as measuring fifty short rows."),
    )
    rows: int = Field(
        500,
        ge=1,
        le=1_000_000,
        title=N_("Measured rows"),
        description=N_("At most this many held-out rows are measured, drawn once by the seed."),
        json_schema_extra=about(
            typical=N_("200 to 1000."), larger=N_("A surer measure, takes longer."), smaller=N_("Faster.")
        ),
    )
    answers: int = Field(
        8,
        ge=0,
        le=10_000,
        title=N_("Written answers"),
        description=N_(
            "How many held-out prompts the model answers before and after; the report shows them side by side and "
            "compares them with the expected answers (BLEU-4, ROUGE-L). Classification needs none."
        ),
        json_schema_extra=about(typical=N_("5 to 50; each takes seconds, on a CPU longer.")),
    )
    max_new_tokens: int = Field(
        128,
        ge=1,
        le=32768,
        title=N_("Max new tokens"),
        description=N_("Where a written answer is cut off."),
        json_schema_extra=about(typical=N_("64 to 512.")),
    )
    batch_size: int = Field(
        8,
        ge=1,
        le=65536,
        title=N_("Evaluation batch size"),
        description=N_("Rows measured at once; it changes speed and memory, never the result."),
        json_schema_extra=about(
            rule=N_("auto, or a whole number from 1 to 65536"), typical=N_("4 to 32; auto takes what fits the memory.")
        ),
    )
    bootstrap: int = vary_field(
        Evaluation,
        "bootstrap",
        description=N_("How often the rows are drawn anew to find how sure the gain is (95% confidence interval)."),
    )
    floor: bool = Field(
        False,
        title=N_("Floor"),
        description=N_(
            "For classification: also train TF-IDF with logistic regression on the same rows, in seconds, and say in "
            "the report what it reaches on the rows that the model is measured on."
        ),
        json_schema_extra=about(
            typical=N_("true for a first run: a model that does not beat counted words is not worth its cost.")
        ),
    )
