"""Losses over pairs and triplets of texts: their scores, their order, or a margin between them."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from tunewiz.language import N_
from tunewiz.presets.losses.loss import Loss, Rows
from tunewiz.presets.sections.section import about, vary_field

# CoSENT: pairs scored higher must be more similar than pairs scored lower (Su, 2022).


class PairOrder(Loss):
    """What the losses over the order of scored pairs share."""

    scale: float = Field(
        20.0,
        gt=0,
        le=1000,
        title=N_("Scale"),
        description=N_("Differences of similarity are multiplied by it."),
        json_schema_extra=about(
            typical=N_("20."),
            larger=N_("Looks at the worst ordered pairs only."),
            smaller=N_("Weighs all wrongly ordered pairs alike."),
        ),
    )
    rows: ClassVar[tuple[Rows, ...]] = ("scored", "labelled", "triplets")


class Cosent(PairOrder):
    """``losses.CoSENTLoss``."""

    place = 42
    name: Literal["cosent"] = vary_field(Loss, "name", "cosent")
    who_for: ClassVar[str] = N_(
        "The first choice for pairs with a degree of similarity (0 to 1, 0 to 5). It learns their order, so the scale "
        "of the scores does not matter."
    )

    @property
    def compares_own_part(self) -> bool:
        """Always: the library gathers nothing for it."""
        return True

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are two texts and a score."""
        return losses.CoSENTLoss(model, scale=self.scale)


# AnglE: CoSENT over angles in complex space (Li and Li, 2023).


class Angle(PairOrder):
    """``losses.AnglELoss``."""

    name: Literal["angle"] = vary_field(Loss, "name", "angle")
    who_for: ClassVar[str] = N_(
        "For the same data as cosent, where many pairs are nearly identical or have nothing in common: it still "
        "learns where cosine is flat. Try it when cosent stops improving."
    )

    @property
    def compares_own_part(self) -> bool:
        """Always: the library gathers nothing for it."""
        return True

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are two texts and a score."""
        return losses.AnglELoss(model, scale=self.scale)


# CosineSimilarity: the cosine of two texts should equal their score (Reimers and Gurevych, 2019).


class CosineSimilarity(Loss):
    """``losses.CosineSimilarityLoss``: the mean squared error."""

    name: Literal["cosine_similarity"] = vary_field(Loss, "name", "cosine_similarity")
    rows: ClassVar[tuple[Rows, ...]] = ("scored", "labelled", "triplets")
    needs_unit_scores: ClassVar[bool] = True
    who_for: ClassVar[str] = N_(
        "For scored pairs where the similarity itself must come out right, for example against a fixed threshold. "
        "Where only the order matters, cosent learns more."
    )

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are two texts and a score from 0 to 1."""
        return losses.CosineSimilarityLoss(model)


# Contrastive: matching pairs are pulled together, others pushed past a margin (Hadsell et al., 2006).


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

    name: Literal["contrastive"] = vary_field(Loss, "name", "contrastive")
    who_for: ClassVar[str] = N_(
        "For pairs marked as matching or not (1 or 0), for example duplicate questions. Needs both kinds."
    )

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are two texts and a label of 0 or 1."""
        return losses.ContrastiveLoss(model, distance_metric=self.metric(losses), margin=self.margin)


# OnlineContrastive: the contrastive loss over the hard pairs of each batch only.


class OnlineContrastive(Margined):
    """``losses.OnlineContrastiveLoss``."""

    name: Literal["online_contrastive"] = vary_field(Loss, "name", "online_contrastive")
    who_for: ClassVar[str] = N_(
        "For the same data as contrastive, and usually better: only the hard pairs of each batch count. Take batches "
        "of 32 or more, so that each holds some."
    )

    @property
    def compares_own_part(self) -> bool:
        """Always: the library gathers nothing for it."""
        return True

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are two texts and a label of 0 or 1."""
        return losses.OnlineContrastiveLoss(model, distance_metric=self.metric(losses), margin=self.margin)


# Triplet: the wrong passage must be farther than the right one by a margin (Schroff et al., 2015).


class Triplet(Loss):
    """``losses.TripletLoss``."""

    place = 40
    name: Literal["triplet"] = vary_field(Loss, "name", "triplet")
    distance: Literal["cosine", "euclidean", "manhattan"] = vary_field(Margined, "distance")
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
