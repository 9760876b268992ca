"""The reranker task: a cross-encoder that reads query and document together and puts search results in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

from pydantic import Field

from tunewiz.language import N_
from tunewiz.presets.checks import (
    data_problems,
    device_problems,
    evaluation_data_problems,
    loss_problems,
    method_problems,
    metric_problems,
    model_problems,
    negatives_problems,
    schedule_problems,
)
from tunewiz.presets.losses import AnyRerankerLoss
from tunewiz.presets.preset import STARTER, FirstModel, RetrievalPreset
from tunewiz.presets.sections import evaluation
from tunewiz.presets.sections.data import Candidates
from tunewiz.presets.sections.model import ModelKind
from tunewiz.problems import Problem, Where, error, say


class RerankerPreset(RetrievalPreset):
    """A preset that tunes a reranker."""

    model_kind: ClassVar[ModelKind] = "reranker"
    cross_encoder: ClassVar[bool] = True
    first_models: ClassVar[tuple[FirstModel, ...]] = (
        FirstModel(
            "BAAI/bge-reranker-base", N_("Your texts are Chinese; this one knows how to rank them already."), "zh"
        ),
        STARTER,
    )
    first_losses: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "groups": ("binary_cross_entropy",),
        "scored": ("binary_cross_entropy",),
    }
    PLACE: ClassVar[int] = 3

    task: Literal["reranker"] = Field(
        "reranker",
        title=N_("Task"),
        description=N_("What kind of model is tuned: one that puts the results of a search in a better order."),
    )
    backend: str = Field("cross_encoder", title=N_("Backend"), description=N_("The library that trains."))
    candidates: Candidates = Field(
        default_factory=Candidates,
        title=N_("Candidates"),
        description=N_("The search whose results are reranked."),
    )
    loss: AnyRerankerLoss = Field(
        title=N_("Loss"),
        description=N_("How documents are compared with their labels or with each other; it must fit the data's rows."),
        examples=["binary_cross_entropy"],
    )

    def problems(self) -> list[Problem]:
        """What does not go together; see :mod:`tunewiz.presets.checks`."""
        return reranker_problems(self)


def reranker_problems(preset: RerankerPreset) -> list[Problem]:
    """As :func:`embedding`, for a reranker."""
    before = [
        problem
        for check in (model_problems, data_problems, evaluation_data_problems, negatives_problems)
        for problem in check(preset)
    ]
    after = [
        problem
        for check in (method_problems, loss_problems, schedule_problems, device_problems, metric_problems)
        for problem in check(preset)
    ]
    return [*before, *_candidates(preset), *after]


def _candidates(preset: RerankerPreset) -> Iterator[Problem]:
    depth, asked = preset.candidates.depth, evaluation.parse_metric(preset.evaluation.metric)
    deepest = max([*preset.evaluation.k, (asked.k if asked else 0) or 0])
    if deepest > depth:
        message = say("{depth} candidates are reranked; a measure looks at {k} results.", depth=depth, k=deepest)
        fix = say("Raise candidates.depth to {k}, or lower the cut-off.", k=deepest)
        yield error("candidates-too-few", message, Where("candidates.depth"), fix)
