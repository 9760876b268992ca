"""Losses that learn the scores of a teacher, a cross-encoder that has read each query with its passages."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from tunewiz.language import N_
from tunewiz.presets.losses.info_nce import Grouped
from tunewiz.presets.losses.loss import Loss, Rows
from tunewiz.presets.sections.section import about, vary_field


class Taught(Loss):
    """What they share. Labels of a row are the scores of its passages, the right one first, on the scale of cosines."""

    margin: float = Field(
        0.3,
        gt=0,
        le=2,
        title=N_("Mean margin"),
        description=N_(
            "How much higher the cosine of a right passage should be than that of a wrong one, on average: the "
            "teacher's scores, whatever their scale, are brought to it."
        ),
        examples=[0.2, 0.3, 0.5],
        json_schema_extra=about(
            typical=N_("0.2 to 0.5: what tuned models have."),
            larger=N_("Pulls right and wrong passages further apart than the model may be able to."),
            smaller=N_("Changes little."),
        ),
    )
    place = 70
    rows: ClassVar[tuple[Rows, ...]] = ("triplets",)

    @property
    def learns_scores(self) -> bool:
        """Nothing else."""
        return True


# MarginMSE: the gap between a right and a wrong passage should be the teacher's (Hofstätter et al., 2020).


class MarginMse(Taught):
    """``losses.MarginMSELoss`` over cosines."""

    name: Literal["margin_mse"] = vary_field(Loss, "name", "margin_mse")
    who_for: ClassVar[str] = N_(
        "To learn from a reranker (data.teacher, or pos_scores and neg_scores of the data) how much better each right "
        "passage is than each wrong one. Sees no other passages of the batch: mine several negatives a query."
    )

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are query, positive, negatives ... and a list of scores."""
        return losses.MarginMSELoss(model, similarity_fct=losses.cosent.util.pairwise_cos_sim)


# KL divergence of both orders over the passages of a query (Lin et al., 2020).


class DistillKl(Taught):
    """``losses.DistillKLDivLoss`` over cosines."""

    name: Literal["distill_kl"] = vary_field(Loss, "name", "distill_kl")
    temperature: float = vary_field(Grouped, "temperature", 0.05, examples=[0.05, 0.1], typical=N_("0.05."))
    who_for: ClassVar[str] = N_(
        "To learn from a reranker, as margin_mse does, but the order of a query's passages rather than the size of "
        "each gap. The usual choice where the teacher is strong and each query has several mined passages."
    )

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are query, positive, negatives ... and a list of scores."""
        return losses.DistillKLDivLoss(
            model, similarity_fct=losses.cosent.util.pairwise_cos_sim, temperature=self.temperature
        )
