"""RankNet: of each two documents the more relevant one should score higher (Burges et al., 2005)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from data.language import N_
from presets.losses.base import Rows
from presets.losses.reranker.base import Layout, RerankerLoss
from presets.sections.base import about


class WeighedPairs(RerankerLoss):
    """What the losses over every two documents of a list share."""

    k: int | None = Field(
        None,
        ge=1,
        le=1000,
        title=N_("Ranks that count"),
        description=N_("Only the first k ranks of each list count; null counts all."),
        json_schema_extra=about(typical=N_("null, or the k of the metric for long lists.")),
    )
    sigma: float = Field(
        1.0,
        gt=0,
        le=100,
        title=N_("Sigma"),
        description=N_("Steepness: differences of scores are multiplied by it."),
        json_schema_extra=about(
            typical=N_("1."),
            larger=N_("Small differences count as decided."),
            smaller=N_("Keeps pushing pairs that are already told apart."),
        ),
    )
    rows: ClassVar[tuple[Rows, ...]] = ("scored", "triplets", "labelled")
    layout: ClassVar[Layout] = "lists"


class RankNet(WeighedPairs):
    """``RankNetLoss``."""

    name: Literal["rank_net"] = Field("rank_net", title=N_("Loss"), description=N_("What training makes smaller."))
    who_for: ClassVar[str] = N_(
        "For lists where every swap of two documents costs the same. Where the top ranks matter most, take lambda_loss."
    )

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are query, documents and labels."""
        return losses.RankNetLoss(model, k=self.k, sigma=self.sigma, mini_batch_size=-1)
