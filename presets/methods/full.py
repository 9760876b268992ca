"""Full tuning: every weight is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from data.language import N_
from presets.methods.base import LlmMethod
from presets.methods.wording import METHODS
from presets.sections.base import about

if TYPE_CHECKING:
    from presets.memory_llm import Decoder


class Full(LlmMethod):
    """All weights are trained."""

    type: Literal["full"] = Field(
        "full",
        title=N_("Method"),
        description=N_("Which weights change in training."),
        json_schema_extra=about(choices=METHODS),
    )
    who_for: ClassVar[str] = METHODS["full"]
    adapter: ClassVar[bool] = False

    def arguments(self) -> dict[str, Any]:
        """As LLaMA-Factory calls it."""
        return {"finetuning_type": "full"}

    def trained(self, shape: Decoder) -> int:
        """All of them."""
        return shape.parameters

    def usual_rate(self) -> tuple[float, float]:
        """Small steps: every weight moves."""
        return 1e-6, 1e-4
