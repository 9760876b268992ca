"""Matryoshka: any other loss, also over the first 512, 256, ... numbers of each vector (Kusupati et al., 2022)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from tunewiz.language import N_
from tunewiz.presets.losses import AnyLoss
from tunewiz.presets.losses.loss import Loss, Rows
from tunewiz.presets.losses.ranking import MultipleNegativesRanking
from tunewiz.presets.sections.section import about, vary_field
from tunewiz.problems import Problem, Where, error, say


class Matryoshka(Loss):
    """``losses.MatryoshkaLoss`` around another loss."""

    place = 60
    name: Literal["matryoshka"] = vary_field(Loss, "name", "matryoshka")
    loss: AnyLoss = Field(
        default_factory=MultipleNegativesRanking,
        title=N_("Inner loss"),
        description=N_("The loss that is computed at each length; any but matryoshka."),
        examples=["multiple_negatives_ranking"],
    )
    dimensions: list[int] = Field(
        default_factory=lambda: [384, 256, 128, 64],
        min_length=1,
        max_length=16,
        title=N_("Dimensions"),
        description=N_("Lengths at which shortened vectors shall work; the model's full length belongs to them."),
        examples=[[384, 256, 128, 64], [1024, 512, 256, 128]],
        json_schema_extra=about(typical=N_("The full length and halves of it down to 64.")),
    )

    rows: ClassVar[tuple[Rows, ...]] = ("triplets", "pairs", "scored", "labelled")
    who_for: ClassVar[str] = N_(
        "For an index that must be small or fast: vectors may later be cut to a fraction of their length and lose "
        "little. Costs almost no extra time; choose the loss inside by your data."
    )

    @property
    def core(self) -> Loss:
        """The inner loss decides on rows and batches."""
        return self.loss.core

    def build(self, model: Any, losses: Any) -> Any:
        """The inner loss, computed at each length."""
        return losses.MatryoshkaLoss(model, self.loss.build(model, losses), matryoshka_dims=self.dimensions)

    def problems(self, key: str) -> list[Problem]:
        """Nested matryoshka, lengths that make no sense, and what the inner loss finds."""
        found = self.loss.problems(f"{key}.loss")
        if isinstance(self.loss, Matryoshka):
            message = say("A matryoshka loss cannot stand inside another one.")
            fix = say("Choose another loss, for example multiple_negatives_ranking.")
            found.append(error("matryoshka-nested", message, Where(key=f"{key}.loss"), fix))
        bad = [size for size in self.dimensions if size < 1]
        if bad or len(set(self.dimensions)) < len(self.dimensions):
            message = say("Dimensions must be positive and different; there are {values}.", values=str(self.dimensions))
            fix = say("Write for example [384, 256, 128, 64].")
            found.append(error("matryoshka-dimensions", message, Where(key=f"{key}.dimensions"), fix))
        return found
