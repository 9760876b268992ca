"""Methods that train made-up tokens before every text; the model stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from tunewiz.language import N_
from tunewiz.presets.methods.method import METHODS, LlmMethod, WithPeft
from tunewiz.presets.sections.section import about, vary_field

if TYPE_CHECKING:
    from tunewiz.presets.memory.language_model import Decoder


# What the methods have in common that train made-up tokens before every text.


class VirtualTokens(WithPeft):
    """Virtual tokens are trained; every weight of the model stays."""

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
        """As peft calls them."""
        return {"num_virtual_tokens": self.tokens}


# Prefix tuning: keys and values before every text are trained in each layer (Li and Liang, 2021).


class PrefixTuning(VirtualTokens):
    """Keys and values of virtual tokens are trained; every weight of the model stays."""

    type: Literal["prefix_tuning"] = vary_field(LlmMethod, "type", "prefix_tuning")
    who_for: ClassVar[str] = METHODS["prefix_tuning"]
    configuration: ClassVar[str] = "PrefixTuningConfig"
    rate: ClassVar[float | None] = 1e-2
    tokens: int = vary_field(
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


# Prompt tuning: made-up tokens before every text are trained (Lester et al., 2021).


class PromptTuning(VirtualTokens):
    """The embeddings of virtual tokens are trained; every weight of the model stays."""

    type: Literal["prompt_tuning"] = vary_field(LlmMethod, "type", "prompt_tuning")
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
