"""Margin ranking: a right document must score higher than a wrong one by a margin (pairwise hinge loss)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from data.language import N_
from presets.losses.base import Rows
from presets.losses.reranker.base import Layout, RerankerLoss
from presets.sections.base import about


class MarginRanking(RerankerLoss):
    """torch's ``MarginRankingLoss`` over the right document and each wrong one."""

    name: Literal["margin_ranking"] = Field(
        "margin_ranking", title=N_("Loss"), description=N_("What training makes smaller.")
    )
    margin: float = Field(
        1.0,
        gt=0,
        le=100,
        title=N_("Margin"),
        description=N_(
            "How much higher a right document must score than a wrong one; a gap beyond it teaches nothing."
        ),
        examples=[0.5, 1.0],
        json_schema_extra=about(
            typical=N_("1."),
            larger=N_("Keeps pushing pairs that are already told apart."),
            smaller=N_("Is satisfied sooner and learns less."),
        ),
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
