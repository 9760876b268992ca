"""OFT: weights are turned by small orthogonal matrices (Qiu et al., 2023)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from data.language import N_
from presets.methods.base import LlmMethod
from presets.methods.low_rank import attention_only, targets
from presets.methods.wording import METHODS
from presets.sections.base import about

if TYPE_CHECKING:
    from presets.memory_llm import Decoder


class Oft(LlmMethod):
    """Orthogonal blocks are trained beside the frozen weights."""

    type: Literal["oft"] = Field(
        "oft",
        title=N_("Method"),
        description=N_("Which weights change in training."),
        json_schema_extra=about(choices=METHODS),
    )
    who_for: ClassVar[str] = METHODS["oft"]
    block_size: int = Field(
        32,
        ge=2,
        le=1024,
        title=N_("Block size"),
        description=N_("Width of the orthogonal blocks; it must divide the width of the layers."),
        examples=[16, 32, 64],
        json_schema_extra=about(
            typical=N_("32."), larger=N_("More to learn with, slower."), smaller=N_("Fewer weights.")
        ),
    )
    target_modules: Literal["all"] | list[str] = Field(
        "all",
        title=N_("Target modules"),
        description=N_("Which layers get an adapter: all linear layers, or a list of layer names of this model."),
        examples=["all", ["q_proj", "v_proj"]],
        json_schema_extra=about(typical=N_("all.")),
    )

    def arguments(self) -> dict[str, Any]:
        """As LLaMA-Factory calls them; its rank and its block size exclude each other."""
        return {
            "finetuning_type": "oft",
            "oft_rank": 0,
            "oft_block_size": self.block_size,
            "oft_target": targets(self.target_modules),
        }

    def trained(self, shape: Decoder) -> int:
        """A skew-symmetric matrix for each block of each layer's input: width x (block - 1) / 2 numbers."""
        layers = shape.linear[:4] if attention_only(self.target_modules) else shape.linear
        return shape.layers * sum(width * (self.block_size - 1) // 2 for width, _ in layers)
