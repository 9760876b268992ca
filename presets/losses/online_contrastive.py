"""OnlineContrastive: the contrastive loss over the hard pairs of each batch only."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from data.language import N_
from presets.losses.contrastive import Margined


class OnlineContrastive(Margined):
    """``losses.OnlineContrastiveLoss``."""

    name: Literal["online_contrastive"] = Field(
        "online_contrastive", title=N_("Loss"), description=N_("What training makes smaller.")
    )
    who_for: ClassVar[str] = N_(
        "For the same data as contrastive, and usually better: only the hard pairs of each batch count. Take batches "
        "of 32 or more, so that each holds some."
    )

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are two texts and a label of 0 or 1."""
        return losses.OnlineContrastiveLoss(model, distance_metric=self.metric(losses), margin=self.margin)
