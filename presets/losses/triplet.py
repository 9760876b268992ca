"""Triplet: the wrong passage must be farther than the right one by a margin (Schroff et al., 2015)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from data.language import N_
from presets.losses.base import Loss, Rows
from presets.sections.base import about


class Triplet(Loss):
    """``losses.TripletLoss``."""

    name: Literal["triplet"] = Field("triplet", title=N_("Loss"), description=N_("What training makes smaller."))
    distance: Literal["cosine", "euclidean", "manhattan"] = Field(
        "cosine",
        title=N_("Distance"),
        description=N_("How far apart two texts are."),
        json_schema_extra=about(
            typical=N_("cosine, the way search compares texts."),
            choices={
                "cosine": N_("1 - cosine similarity, from 0 to 2"),
                "euclidean": N_("straight line between vectors; depends on their length"),
                "manhattan": N_("sum of the differences; depends on the vectors' length"),
            },
        ),
    )
    margin: float = Field(
        0.3,
        gt=0,
        le=100,
        title=N_("Margin"),
        description=N_("How much farther the wrong passage must be than the right one."),
        examples=[0.1, 0.3, 5],
        json_schema_extra=about(
            typical=N_("0.1 to 0.5 with cosine, 1 to 5 otherwise."),
            larger=N_("Keeps pushing pairs that are already told apart."),
            smaller=N_("Is satisfied sooner and learns less."),
        ),
    )
    rows: ClassVar[tuple[Rows, ...]] = ("triplets",)
    max_negatives: ClassVar[int | None] = 1
    who_for: ClassVar[str] = N_(
        "For data whose wrong passages are certain and well chosen, and for very small batches. For search, multiple "
        "negatives ranking usually gets further."
    )

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are query, positive, negative."""
        distance = getattr(losses.TripletDistanceMetric, self.distance.upper())
        return losses.TripletLoss(model, distance_metric=distance, triplet_margin=self.margin)
