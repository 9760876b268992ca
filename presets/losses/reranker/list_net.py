"""ListNet: the scores of a list should be spread as its labels are (Cao et al., 2007)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from data.language import N_
from presets.losses.base import Rows
from presets.losses.reranker.base import Layout, RerankerLoss


class ListNet(RerankerLoss):
    """``ListNetLoss``."""

    name: Literal["list_net"] = Field("list_net", title=N_("Loss"), description=N_("What training makes smaller."))
    rows: ClassVar[tuple[Rows, ...]] = ("scored", "triplets", "labelled")
    layout: ClassVar[Layout] = "lists"
    who_for: ClassVar[str] = N_(
        "For lists with grades, or with a teacher's scores for every document; calm and without options."
    )

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are query, documents and labels."""
        return losses.ListNetLoss(model, mini_batch_size=-1)
