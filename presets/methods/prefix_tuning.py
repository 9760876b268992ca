"""Prefix tuning: keys and values before every text are trained in each layer (Li and Liang, 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from data.language import N_
from presets.methods.virtual_tokens import VirtualTokens
from presets.methods.wording import METHODS
from presets.sections.base import about, varied

if TYPE_CHECKING:
    from presets.memory_llm import Decoder


class PrefixTuning(VirtualTokens):
    """Keys and values of virtual tokens are trained; every weight of the model stays."""

    type: Literal["prefix_tuning"] = Field(
        "prefix_tuning",
        title=N_("Method"),
        description=N_("Which weights change in training."),
        json_schema_extra=about(choices=METHODS),
    )
    who_for: ClassVar[str] = METHODS["prefix_tuning"]
    configuration: ClassVar[str] = "PrefixTuningConfig"
    rate: ClassVar[float | None] = 1e-2
    tokens: int = varied(
        VirtualTokens,
        "tokens",
        description=N_("How many made-up tokens stand before every text, as keys and values of each layer."),
    )

    def trained(self, shape: Decoder) -> int:
        """A key and a value in each layer for each token."""
        return self.tokens * shape.layers * 2 * shape.key_value_heads * shape.head

    def usual_rate(self) -> tuple[float, float]:
        """Far higher than for weights."""
        return 1e-3, 0.1
