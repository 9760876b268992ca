"""GIST: in-batch negatives filtered by a guide model (Solatorio, 2024)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from data.language import N_
from presets.losses.base import Loss, Rows
from presets.sections.base import about


class Gist(Loss):
    """``losses.GISTEmbedLoss``."""

    name: Literal["gist"] = Field("gist", title=N_("Loss"), description=N_("What training makes smaller."))
    guide: str = Field(
        min_length=1,
        title=N_("Guide model"),
        description=N_("A model that already searches well: a hub id, a folder, or starter."),
        examples=["BAAI/bge-base-en-v1.5", "starter"],
        json_schema_extra=about(typical=N_("A larger model of the same family, or the model itself.")),
    )
    temperature: float = Field(
        0.05,
        gt=0,
        le=10,
        title=N_("Temperature"),
        description=N_("Similarities are divided by it."),
        examples=[0.01, 0.05],
        json_schema_extra=about(
            typical=N_("0.01 to 0.05."),
            larger=N_("Pushes all wrong passages away alike."),
            smaller=N_("Looks at the hardest wrong passages only."),
        ),
    )
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
