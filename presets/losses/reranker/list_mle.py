"""ListMLE: the order of the labels should be the likeliest one (Xia et al., 2008)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from data.language import N_
from presets.losses.base import Rows
from presets.losses.reranker.base import Layout, RerankerLoss


class ListMle(RerankerLoss):
    """``ListMLELoss``; documents with equal labels stand in the order of the data."""

    name: Literal["list_mle"] = Field("list_mle", title=N_("Loss"), description=N_("What training makes smaller."))
    rows: ClassVar[tuple[Rows, ...]] = ("scored", "triplets", "labelled")
    layout: ClassVar[Layout] = "lists"
    who_for: ClassVar[str] = N_(
        "For lists whose whole order is known. With few different labels take list_net or lambda_loss: ties have no "
        "order."
    )

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are query, documents and labels."""
        return losses.ListMLELoss(model, mini_batch_size=-1, respect_input_order=False)
