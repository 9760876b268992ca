"""Mean squared error: the score should equal the grade."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from data.language import N_
from presets.losses.base import Rows
from presets.losses.reranker.base import RerankerLoss


class Mse(RerankerLoss):
    """``MSELoss`` on grades brought onto 0 to 1."""

    name: Literal["mse"] = Field("mse", title=N_("Loss"), description=N_("What training makes smaller."))
    rows: ClassVar[tuple[Rows, ...]] = ("scored", "labelled", "triplets")
    needs_unit_scores: ClassVar[bool] = True
    who_for: ClassVar[str] = N_(
        "For grades or a teacher's scores where the number itself must come out right (regression). Where only the "
        "order matters, a listwise loss learns more."
    )

    def build(self, model: Any, losses: Any) -> Any:
        """The loss; columns are query, document and score from 0 to 1."""
        return losses.MSELoss(model)
