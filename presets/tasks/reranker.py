"""The reranker task: a cross-encoder that reads query and document together and puts search results in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

from pydantic import Field

from tunewiz.language import N_
from tunewiz.presets import checks
from tunewiz.presets.losses import AnyRerankerLoss
from tunewiz.presets.preset import STARTERS, FirstModel, Preset, RetrievalPreset
from tunewiz.presets.sections import evaluation
from tunewiz.presets.sections.data import Candidates
from tunewiz.presets.sections.model import ModelKind
from tunewiz.presets.sections.section import vary_field
from tunewiz.problems import Problem, Where, error, say


class RerankerPreset(RetrievalPreset):
    """A preset that tunes a reranker."""

    model_kind: ClassVar[ModelKind] = "reranker"
    cross_encoder: ClassVar[bool] = True
    first_models: ClassVar[tuple[FirstModel, ...]] = (
        FirstModel(
            "BAAI/bge-reranker-base", N_("Your texts are Chinese; this one knows how to rank them already."), "zh"
        ),
        *STARTERS,
    )
    first_losses: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "groups": ("binary_cross_entropy",),
        "scored": ("binary_cross_entropy",),
    }
    PLACE: ClassVar[int] = 3

    task: Literal["reranker"] = vary_field(
        Preset,
        "task",
        "reranker",
        description=N_("What kind of model is tuned: one that puts the results of a search in a better order."),
    )
    backend: str = vary_field(Preset, "backend", "cross_encoder")
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
        """What does not go together, in the order of the sections; see :mod:`tunewiz.presets.checks`."""
        learning = (checks.method_problems, checks.loss_problems)
        every = (checks.model_problems, *checks.OF_DATA, _candidates, *learning, *checks.OF_RUNS)
        return [problem for check in every for problem in check(self)]


def _candidates(preset: RerankerPreset) -> Iterator[Problem]:
    depth, asked = preset.candidates.depth, evaluation.parse_metric(preset.evaluation.metric)
    deepest = max([*preset.evaluation.k, (asked.k if asked else 0) or 0])
    if deepest > depth:
        message = say("{depth} candidates are reranked; a measure looks at {k} results.", depth=depth, k=deepest)
        fix = say("Raise candidates.depth to {k}, or lower the cut-off.", k=deepest)
        yield error("candidates-too-few", message, Where("candidates.depth"), fix)
