"""The embedding task: contrastive tuning of a bi-encoder for retrieval."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from data.language import N_
from data.problems import Problem
from presets import checks
from presets.losses import AnyLoss
from presets.preset import Preset
from presets.sections.data import Data
from presets.sections.evaluation import Evaluation, Export
from presets.sections.method import Full, Method


class EmbeddingPreset(Preset):
    """A preset that tunes an embedding model."""

    task: Literal["embedding"] = Field(
        "embedding", title=N_("Task"), description=N_("What kind of model is tuned: one that turns texts into vectors.")
    )
    backend: str = Field("sentence_transformers", title=N_("Backend"), description=N_("The library that trains."))
    data: Data = Field(title=N_("Data"), description=N_("What it learns from and what it is measured on."))
    method: Method = Field(
        default_factory=Full, title=N_("Method"), description=N_("How much of the model is trained.")
    )
    loss: AnyLoss = Field(
        title=N_("Loss"),
        description=N_("What training pulls together and pushes apart; it must fit the rows of the data."),
        examples=["multiple_negatives_ranking"],
    )
    evaluation: Evaluation = Field(
        default_factory=Evaluation,
        title=N_("Evaluation"),
        description=N_("How the model is measured, before and after."),
    )
    export: Export = Field(
        default_factory=Export, title=N_("Export"), description=N_("What is left when the run is over.")
    )

    def problems(self) -> list[Problem]:
        """What does not go together; see :mod:`presets.checks`."""
        return checks.embedding(self)
