"""Prompt tuning: made-up tokens before every text are trained (Lester et al., 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from data.language import N_
from presets.methods.virtual_tokens import VirtualTokens
from presets.methods.wording import METHODS
from presets.sections.base import about

if TYPE_CHECKING:
    from presets.memory_llm import Decoder


class PromptTuning(VirtualTokens):
    """The embeddings of virtual tokens are trained; every weight of the model stays."""

    type: Literal["prompt_tuning"] = Field(
        "prompt_tuning",
        title=N_("Method"),
        description=N_("Which weights change in training."),
        json_schema_extra=about(choices=METHODS),
    )
    who_for: ClassVar[str] = METHODS["prompt_tuning"]
    configuration: ClassVar[str] = "PromptTuningConfig"
    rate: ClassVar[float | None] = 3e-2

    def options(self) -> dict[str, Any]:
        """As peft calls them; the tokens begin as embeddings of the vocabulary, drawn by the seed."""
        return super().options() | {"prompt_tuning_init": "SAMPLE_VOCAB"}

    def trained(self, shape: Decoder) -> int:
        """One embedding a token."""
        return self.tokens * shape.hidden

    def usual_rate(self) -> tuple[float, float]:
        """Far higher than for weights: Lester et al. use 0.3."""
        return 1e-3, 0.5
