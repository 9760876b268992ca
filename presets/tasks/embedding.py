"""The embedding task: contrastive tuning of a bi-encoder for retrieval."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from data.language import N_
from data.problems import Problem
from presets import checks
from presets.losses import AnyLoss
from presets.retrieval import RetrievalPreset


class EmbeddingPreset(RetrievalPreset):
    """A preset that tunes an embedding model."""

    PLACE: ClassVar[int] = 1

    task: Literal["embedding"] = Field(
        "embedding", title=N_("Task"), description=N_("What kind of model is tuned: one that turns texts into vectors.")
    )
    backend: str = Field("sentence_transformers", title=N_("Backend"), description=N_("The library that trains."))
    loss: AnyLoss = Field(
        title=N_("Loss"),
        description=N_("What training pulls together and pushes apart; it must fit the rows of the data."),
        examples=["multiple_negatives_ranking"],
    )

    def problems(self) -> list[Problem]:
        """What does not go together; see :mod:`presets.checks`."""
        return checks.embedding(self)
