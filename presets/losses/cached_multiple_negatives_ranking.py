"""MultipleNegativesRanking over batches larger than the memory, by gradient caching (Gao et al., 2021)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from data.language import N_
from presets.losses.multiple_negatives_ranking import Ranking
from presets.sections.base import about


class CachedMultipleNegativesRanking(Ranking):
    """``losses.CachedMultipleNegativesRankingLoss``: each batch is encoded twice, in small pieces."""

    name: Literal["cached_multiple_negatives_ranking"] = Field(
        "cached_multiple_negatives_ranking", title=N_("Loss"), description=N_("What training makes smaller.")
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
    who_for: ClassVar[str] = N_(
        "For a GPU that is too small for the batch you want: hundreds or thousands of in-batch wrong answers in little "
        "memory, for encoding every text twice. Of no use where the batch fits anyway."
    )
    caches_gradients: ClassVar[bool] = True

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are query, positive, negatives ..."""
        return losses.CachedMultipleNegativesRankingLoss(model, mini_batch_size=self.mini_batch_size, **self.options())
