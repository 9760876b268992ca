"""MultipleNegativesRanking: the positive against every other passage of the batch (InfoNCE; Henderson et al., 2017)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from data.language import N_
from presets.losses.base import Loss, Rows
from presets.sections.base import about


class Ranking(Loss):
    """What the plain and the cached in-batch ranking losses share."""

    scale: float = Field(
        20.0,
        gt=0,
        le=1000,
        title=N_("Scale"),
        description=N_("Similarities are multiplied by it; 1 / scale is the temperature."),
        examples=[20, 50],
        json_schema_extra=about(
            typical=N_("20 (temperature 0.05); 50 for BGE models (0.02)."),
            larger=N_("Looks at the hardest wrong passages only."),
            smaller=N_("Pushes all wrong passages away alike."),
        ),
    )
    symmetric: bool = Field(
        False,
        title=N_("Symmetric"),
        description=N_("Also ask for the right query of each passage, not only for the right passage of each query."),
        json_schema_extra=about(
            typical=N_("true for pairs of one kind (question and question), false for search with hard negatives.")
        ),
    )
    rows: ClassVar[tuple[Rows, ...]] = ("triplets", "pairs")
    in_batch_negatives: ClassVar[bool] = True

    def options(self) -> dict[str, Any]:
        """Arguments of the library's class."""
        if not self.symmetric:
            return {"scale": self.scale}
        return {
            "scale": self.scale,
            "directions": ("query_to_doc", "doc_to_query"),
            "partition_mode": "per_direction",  # the mean of both directions (Günther et al., 2023)
        }


class MultipleNegativesRanking(Ranking):
    """``losses.MultipleNegativesRankingLoss``."""

    name: Literal["multiple_negatives_ranking"] = Field(
        "multiple_negatives_ranking", title=N_("Loss"), description=N_("What training makes smaller.")
    )
    who_for: ClassVar[str] = N_(
        "The first choice for search: you have queries and passages that answer them, with or without wrong ones. The "
        "other passages of a batch serve as wrong answers, so a larger batch teaches more."
    )

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are query, positive, negatives ..."""
        return losses.MultipleNegativesRankingLoss(model, **self.options())
