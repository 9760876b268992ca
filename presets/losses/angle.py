"""AnglE: CoSENT over angles in complex space (Li and Li, 2023)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from data.language import N_
from presets.losses.cosent import PairOrder


class Angle(PairOrder):
    """``losses.AnglELoss``."""

    name: Literal["angle"] = Field("angle", title=N_("Loss"), description=N_("What training makes smaller."))
    who_for: ClassVar[str] = N_(
        "For the same data as cosent, where many pairs are nearly identical or have nothing in common: it still "
        "learns where cosine is flat. Try it when cosent stops improving."
    )

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are two texts and a score."""
        return losses.AnglELoss(model, scale=self.scale)
