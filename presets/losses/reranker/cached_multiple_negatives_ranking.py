"""Right documents against those of other queries in the batch, in little memory (Gao et al., 2021)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from data.language import N_
from presets.losses.base import Rows
from presets.losses.reranker.base import Layout, RerankerLoss
from presets.sections.base import about


class CachedMultipleNegativesRanking(RerankerLoss):
    """``CachedMultipleNegativesRankingLoss`` of cross-encoders."""

    name: Literal["cached_multiple_negatives_ranking"] = Field(
        "cached_multiple_negatives_ranking", title=N_("Loss"), description=N_("What training makes smaller.")
    )
    num_negatives: int = Field(
        4,
        ge=1,
        le=4096,
        title=N_("In-batch negatives"),
        description=N_("How many documents of other queries each query is compared with, beside its own negatives."),
        json_schema_extra=about(
            typical=N_("4 to 16."), larger=N_("A harder lesson, more time."), smaller=N_("Cheaper.")
        ),
    )
    scale: float = Field(
        10.0,
        gt=0,
        le=1000,
        title=N_("Scale"),
        description=N_("Scores from 0 to 1 are multiplied by it."),
        json_schema_extra=about(
            typical=N_("10."),
            larger=N_("Looks at the hardest wrong documents only."),
            smaller=N_("Pushes all wrong documents away alike."),
        ),
    )
    mini_batch_size: int = Field(
        32,
        ge=1,
        le=65536,
        title=N_("Mini-batch size"),
        description=N_("Texts encoded at once; it sets the memory that is used and does not change the result."),
        examples=[16, 32, 64],
        json_schema_extra=about(
            typical=N_("16 to 64."), larger=N_("Faster, more memory."), smaller=N_("Slower, less memory.")
        ),
    )
    rows: ClassVar[tuple[Rows, ...]] = ("triplets", "pairs")
    layout: ClassVar[Layout] = "tuples"
    in_batch_negatives: ClassVar[bool] = True
    caches_gradients: ClassVar[bool] = True
    activation: ClassVar[Literal["sigmoid", "identity"]] = "sigmoid"
    who_for: ClassVar[str] = N_(
        "For queries with right documents and nothing else: those of other queries serve as wrong ones. They are easy, "
        "so mined negatives with another loss usually get further."
    )

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are query, right document[, wrong documents ...]."""
        return losses.CachedMultipleNegativesRankingLoss(
            model,
            num_negatives=self.num_negatives,
            scale=self.scale,
            activation_fn=losses.Sigmoid(),
            mini_batch_size=self.mini_batch_size,
        )
