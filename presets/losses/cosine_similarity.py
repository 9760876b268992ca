"""CosineSimilarity: the cosine of two texts should equal their score (Reimers and Gurevych, 2019)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from data.language import N_
from presets.losses.base import Loss, Rows


class CosineSimilarity(Loss):
    """``losses.CosineSimilarityLoss``: the mean squared error."""

    name: Literal["cosine_similarity"] = Field(
        "cosine_similarity", title=N_("Loss"), description=N_("What training makes smaller.")
    )
    rows: ClassVar[tuple[Rows, ...]] = ("scored", "labelled", "triplets")
    needs_unit_scores: ClassVar[bool] = True
    who_for: ClassVar[str] = N_(
        "For scored pairs where the similarity itself must come out right, for example against a fixed threshold. "
        "Where only the order matters, cosent learns more."
    )

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are two texts and a score from 0 to 1."""
        return losses.CosineSimilarityLoss(model)
