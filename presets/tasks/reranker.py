"""The reranker task: a cross-encoder that reads query and document together and puts search results in order."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from data.language import N_
from data.problems import Problem
from presets import checks
from presets.losses.reranker import AnyRerankerLoss
from presets.retrieval import RetrievalPreset
from presets.sections.candidates import Candidates


class RerankerPreset(RetrievalPreset):
    """A preset that tunes a reranker."""

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
        """What does not go together; see :mod:`presets.checks`."""
        return checks.reranker(self)
