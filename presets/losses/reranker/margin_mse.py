"""MarginMSE: the gap between a right and a wrong document should be the teacher's (Hofstätter et al., 2020)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from data.language import N_
from presets.losses.base import Rows
from presets.losses.reranker.base import Layout, RerankerLoss


class MarginMse(RerankerLoss):
    """``MarginMSELoss``; without teacher scores the gap is that of the labels."""

    name: Literal["margin_mse"] = Field("margin_mse", title=N_("Loss"), description=N_("What training makes smaller."))
    rows: ClassVar[tuple[Rows, ...]] = ("triplets", "scored", "labelled")
    layout: ClassVar[Layout] = "tuples"
    learns_margins: ClassVar[bool] = True
    who_for: ClassVar[str] = N_(
        "To learn from a stronger reranker: data with its scores for right and wrong documents (pos_scores, "
        "neg_scores). Without such scores take binary_cross_entropy."
    )

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are query, right document, wrong documents ... and a list of margins."""
        return losses.MarginMSELoss(model)
