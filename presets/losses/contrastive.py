"""Contrastive: matching pairs are pulled together, others pushed past a margin (Hadsell et al., 2006)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from data.language import N_
from presets.losses.base import Loss, Rows
from presets.sections.base import about


class Margined(Loss):
    """What the contrastive losses share."""

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
        0.5,
        gt=0,
        le=100,
        title=N_("Margin"),
        description=N_("Pairs that do not match are pushed apart until they are this far from each other."),
        examples=[0.3, 0.5],
        json_schema_extra=about(
            typical=N_("0.3 to 0.8 with cosine."),
            larger=N_("Pushes pairs that are already far apart."),
            smaller=N_("Leaves pairs that do not match closer."),
        ),
    )
    rows: ClassVar[tuple[Rows, ...]] = ("labelled", "triplets")

    def metric(self, losses: Any) -> Any:
        """The library's distance function."""
        names = {"cosine": "COSINE_DISTANCE", "euclidean": "EUCLIDEAN", "manhattan": "MANHATTAN"}
        return getattr(losses.SiameseDistanceMetric, names[self.distance])


class Contrastive(Margined):
    """``losses.ContrastiveLoss``."""

    name: Literal["contrastive"] = Field(
        "contrastive", title=N_("Loss"), description=N_("What training makes smaller.")
    )
    who_for: ClassVar[str] = N_(
        "For pairs marked as matching or not (1 or 0), for example duplicate questions. Needs both kinds."
    )

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are two texts and a label of 0 or 1."""
        return losses.ContrastiveLoss(model, distance_metric=self.metric(losses), margin=self.margin)
