"""CoSENT: pairs scored higher must be more similar than pairs scored lower (Su, 2022)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from data.language import N_
from presets.losses.base import Loss, Rows
from presets.sections.base import about


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

    name: Literal["cosent"] = Field("cosent", title=N_("Loss"), description=N_("What training makes smaller."))
    who_for: ClassVar[str] = N_(
        "The first choice for pairs with a degree of similarity (0 to 1, 0 to 5). It learns their order, so the scale "
        "of the scores does not matter."
    )

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are two texts and a score."""
        return losses.CoSENTLoss(model, scale=self.scale)
