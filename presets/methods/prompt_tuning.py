"""Prompt tuning: made-up tokens before every text are trained (Lester et al., 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from data.language import N_
from presets.methods.with_peft import WithPeft
from presets.methods.wording import METHODS
from presets.sections.base import about

if TYPE_CHECKING:
    from presets.memory_llm import Decoder


class PromptTuning(WithPeft):
    """The embeddings of virtual tokens are trained; every weight of the model stays."""

    type: Literal["prompt_tuning"] = Field(
        "prompt_tuning",
        title=N_("Method"),
        description=N_("Which weights change in training."),
        json_schema_extra=about(choices=METHODS),
    )
    who_for: ClassVar[str] = METHODS["prompt_tuning"]
    configuration: ClassVar[str] = "PromptTuningConfig"
    tokens: int = Field(
        20,
        ge=1,
        le=1024,
        title=N_("Virtual tokens"),
        description=N_("How many made-up tokens stand before every text."),
        examples=[8, 20, 50],
        json_schema_extra=about(
            typical=N_("10 to 50."),
            larger=N_("Learns more, takes room from the text, trains more slowly."),
            smaller=N_("Learns little."),
        ),
    )

    def options(self) -> dict[str, Any]:
        """As peft calls them; the tokens begin as embeddings of the vocabulary, drawn by the seed."""
        return {"num_virtual_tokens": self.tokens, "prompt_tuning_init": "SAMPLE_VOCAB"}

    def trained(self, shape: Decoder) -> int:
        """One embedding a token."""
        return self.tokens * shape.hidden

    def usual_rate(self) -> tuple[float, float]:
        """Far higher than for weights: Lester et al. use 0.3."""
        return 1e-3, 0.5
