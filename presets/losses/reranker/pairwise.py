"""Losses of rerankers that compare two documents at a time."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from tunewiz.language import N_
from tunewiz.presets.losses.loss import Layout, RerankerLoss, Rows
from tunewiz.presets.losses.pairs import Triplet
from tunewiz.presets.sections.section import about, vary_field

# Margin ranking: a right document must score higher than a wrong one by a margin (pairwise hinge loss).


class MarginRanking(RerankerLoss):
    """torch's ``MarginRankingLoss`` over the right document and each wrong one."""

    name: Literal["margin_ranking"] = vary_field(RerankerLoss, "name", "margin_ranking")
    margin: float = vary_field(
        Triplet,
        "margin",
        1.0,
        description=N_(
            "How much higher a right document must score than a wrong one; a gap beyond it teaches nothing."
        ),
        examples=[0.5, 1.0],
        typical=N_("1."),
    )
    rows: ClassVar[tuple[Rows, ...]] = ("triplets", "scored", "labelled")
    layout: ClassVar[Layout] = "tuples"
    who_for: ClassVar[str] = N_(
        "For preferences: this document rather than that one. Pairs that are told apart already are left alone, which "
        "bears some wrong labels."
    )

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are query, right document, wrong documents ..."""
        return losses.PairwiseMarginLoss(model, margin=self.margin)


# MarginMSE: the gap between a right and a wrong document should be the teacher's (Hofstätter et al., 2020).


class MarginMse(RerankerLoss):
    """``MarginMSELoss``; without teacher scores the gap is that of the labels."""

    place = 70
    name: Literal["margin_mse"] = vary_field(RerankerLoss, "name", "margin_mse")
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


# RankNet: of each two documents the more relevant one should score higher (Burges et al., 2005).


class WeighedPairs(RerankerLoss):
    """What the losses over every two documents of a list share."""

    k: int | None = Field(
        None,
        ge=1,
        le=1000,
        title=N_("Ranks that count"),
        description=N_("Only the first k ranks of each list count; empty (null) counts all."),
        json_schema_extra=about(typical=N_("empty (null), or the k of the metric for long lists.")),
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

    name: Literal["rank_net"] = vary_field(RerankerLoss, "name", "rank_net")
    who_for: ClassVar[str] = N_(
        "For lists where every swap of two documents costs the same. Where the top ranks matter most, take lambda_loss."
    )

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are query, documents and labels."""
        return losses.RankNetLoss(model, k=self.k, sigma=self.sigma, mini_batch_size=-1)


# LambdaLoss: pairs of documents weighed by what swapping them costs in nDCG (Wang et al., 2018).


_SCHEMES = {
    "ndcg_loss2pp": "NDCGLoss2PPScheme",
    "lambda_rank": "LambdaRankScheme",
    "ndcg_loss2": "NDCGLoss2Scheme",
    "ndcg_loss1": "NDCGLoss1Scheme",
}


class LambdaLoss(WeighedPairs):
    """``LambdaLoss``."""

    place = 20
    name: Literal["lambda_loss"] = vary_field(RerankerLoss, "name", "lambda_loss")
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
