"""LambdaLoss: pairs of documents weighed by what swapping them costs in nDCG (Wang et al., 2018)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from data.language import N_
from presets.losses.reranker.rank_net import WeighedPairs
from presets.sections.base import about

_SCHEMES = {
    "ndcg_loss2pp": "NDCGLoss2PPScheme",
    "lambda_rank": "LambdaRankScheme",
    "ndcg_loss2": "NDCGLoss2Scheme",
    "ndcg_loss1": "NDCGLoss1Scheme",
}


class LambdaLoss(WeighedPairs):
    """``LambdaLoss``."""

    name: Literal["lambda_loss"] = Field(
        "lambda_loss", title=N_("Loss"), description=N_("What training makes smaller.")
    )
    weighting: Literal["ndcg_loss2pp", "lambda_rank", "ndcg_loss2", "ndcg_loss1"] = Field(
        "ndcg_loss2pp",
        title=N_("Weighting"),
        description=N_("How much each pair of documents counts."),
        json_schema_extra=about(
            typical=N_("ndcg_loss2pp, the best of the paper."),
            choices={
                "ndcg_loss2pp": N_("LambdaRank and a tighter bound of nDCG together"),
                "lambda_rank": N_("by the nDCG that swapping the two would cost"),
                "ndcg_loss2": N_("a tight bound of nDCG"),
                "ndcg_loss1": N_("a loose bound of nDCG"),
            },
        ),
    )
    who_for: ClassVar[str] = N_(
        "The strongest for lists, most of all with grades: it works on nDCG itself. Needs several documents a query."
    )

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are query, documents and labels."""
        scheme = getattr(losses, _SCHEMES[self.weighting])()
        return losses.LambdaLoss(model, weighting_scheme=scheme, k=self.k, sigma=self.sigma, mini_batch_size=-1)
