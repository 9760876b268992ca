"""Losses of rerankers that look at each document on its own."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from tunewiz.language import N_
from tunewiz.presets.losses.loss import RerankerLoss, Rows
from tunewiz.presets.sections.section import about, vary_field

# Binary cross-entropy: each document is relevant or not, on its own (the usual loss of cross-encoders).


class BinaryCrossEntropy(RerankerLoss):
    """``BinaryCrossEntropyLoss``; graded pairs count as relevant from the middle of their scale on."""

    place = 10
    name: Literal["binary_cross_entropy"] = vary_field(RerankerLoss, "name", "binary_cross_entropy")
    pos_weight: Literal["auto"] | Annotated[float, Field(gt=0, le=10_000)] = Field(
        "auto",
        title=N_("Weight of positives"),
        description=N_(
            "How much a relevant document counts against one that is not. auto counts both in the training rows and "
            "makes them even."
        ),
        examples=["auto", 1, 4],
        json_schema_extra=about(
            typical=N_("auto: as many as there are negatives for each positive."),
            larger=N_("Scores rise; more documents pass a fixed threshold."),
            smaller=N_("Scores fall; relevant documents may be overlooked."),
        ),
    )
    rows: ClassVar[tuple[Rows, ...]] = ("labelled", "scored", "triplets")
    needs_unit_scores: ClassVar[bool] = True
    activation: ClassVar[Literal["sigmoid", "identity"]] = "sigmoid"
    who_for: ClassVar[str] = N_(
        "The first choice: documents marked as relevant or not, or positives with mined negatives. Scores come out "
        "from 0 to 1, so that a threshold can be set."
    )

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; ``pos_weight`` must be a number by now; columns are query, document and label, 0 or 1."""
        weight = None if self.pos_weight == "auto" else losses.tensor(self.pos_weight)
        return losses.BinaryCrossEntropyLoss(model, pos_weight=weight)


# Mean squared error: the score should equal the grade.


class Mse(RerankerLoss):
    """``MSELoss`` on grades brought onto 0 to 1."""

    place = 60
    name: Literal["mse"] = vary_field(RerankerLoss, "name", "mse")
    rows: ClassVar[tuple[Rows, ...]] = ("scored", "labelled", "triplets")
    needs_unit_scores: ClassVar[bool] = True
    who_for: ClassVar[str] = N_(
        "For grades or a teacher's scores where the number itself must come out right (regression). Where only the "
        "order matters, a listwise loss learns more."
    )

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are query, document and score from 0 to 1."""
        return losses.MSELoss(model)
