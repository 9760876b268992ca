"""Losses over the other passages of the batch: the right one against all of them."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from tunewiz.language import N_
from tunewiz.presets.losses.info_nce import Grouped
from tunewiz.presets.losses.loss import Loss, Rows
from tunewiz.presets.sections.section import about, vary_field

# MultipleNegativesRanking: the positive against every other passage of the batch (InfoNCE; Henderson et al., 2017).


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

    place = 10
    name: Literal["multiple_negatives_ranking"] = vary_field(Loss, "name", "multiple_negatives_ranking")
    who_for: ClassVar[str] = N_(
        "The first choice for search: you have queries and passages that answer them, with or without wrong ones. The "
        "other passages of a batch serve as wrong answers, so a larger batch teaches more."
    )

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are query, positive, negatives ..."""
        return losses.MultipleNegativesRankingLoss(model, **self.options())


# MultipleNegativesRanking over batches larger than the memory, by gradient caching (Gao et al., 2021).


class CachedMultipleNegativesRanking(Ranking):
    """``losses.CachedMultipleNegativesRankingLoss``: each batch is encoded twice, in small pieces."""

    place = 20
    name: Literal["cached_multiple_negatives_ranking"] = vary_field(Loss, "name", "cached_multiple_negatives_ranking")
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


# GIST: in-batch negatives filtered by a guide model (Solatorio, 2024).


class Gist(Loss):
    """``losses.GISTEmbedLoss``."""

    place = 30
    name: Literal["gist"] = vary_field(Loss, "name", "gist")
    guide: str = Field(
        min_length=1,
        title=N_("Guide model"),
        description=N_("A model that already searches well: a hub id, a folder, or starter."),
        examples=["BAAI/bge-base-en-v1.5", "starter"],
        json_schema_extra=about(typical=N_("A larger model of the same family, or the model itself.")),
    )
    temperature: float = vary_field(Grouped, "temperature", 0.05, examples=[0.01, 0.05], typical=N_("0.01 to 0.05."))
    margin_strategy: Literal["absolute", "relative"] = Field(
        "absolute",
        title=N_("Margin strategy"),
        description=N_("How the margin is taken off the guide's score of the right passage."),
        json_schema_extra=about(
            typical=N_("absolute."),
            choices={
                "absolute": N_("score of the right passage minus the margin"),
                "relative": N_("score of the right passage times (1 - margin)"),
            },
        ),
    )
    margin: float = Field(
        0.0,
        ge=0,
        lt=1,
        title=N_("Margin"),
        description=N_("Passages that the guide scores above the right one less this margin are left out."),
        json_schema_extra=about(
            typical=N_("0 to 0.1."),
            larger=N_("Leaves out more passages: safer, easier."),
            smaller=N_("Keeps harder ones, some of them secretly right."),
        ),
    )
    rows: ClassVar[tuple[Rows, ...]] = ("triplets", "pairs")
    in_batch_negatives: ClassVar[bool] = True
    max_negatives: ClassVar[int | None] = 1
    models: ClassVar[tuple[str, ...]] = ("guide",)
    who_for: ClassVar[str] = N_(
        "For data where several passages answer a query but only one is marked: a second model spots likely right "
        "answers in the batch and leaves them out. Costs one more forward pass a step."
    )

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; ``guide`` must be a local folder by now; columns are query, positive[, negative]."""
        guide = type(model)(self.guide, device=str(model.device))
        guide.requires_grad_(False).eval()
        return losses.GISTEmbedLoss(
            model,
            guide=guide,
            temperature=self.temperature,
            margin_strategy=self.margin_strategy,
            margin=self.margin,
        )
