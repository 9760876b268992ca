"""Methods that multiply frozen weights: OFT turns them, IA3 scales them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from tunewiz.language import N_
from tunewiz.presets.methods.low_rank import LowRank, attention_only, targets
from tunewiz.presets.methods.method import METHODS, LlmMethod, WithPeft
from tunewiz.presets.sections.section import about, vary_field

if TYPE_CHECKING:
    from tunewiz.presets.memory.language_model import Decoder


# OFT: weights are turned by small orthogonal matrices (Qiu et al., 2023).


class Oft(LlmMethod):
    """Orthogonal blocks are trained beside the frozen weights."""

    type: Literal["oft"] = vary_field(LlmMethod, "type", "oft")
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
    target_modules: Literal["all"] | list[str] = vary_field(LowRank, "target_modules", typical=N_("all."))

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


# IA3: keys, values and the inside of the MLP are scaled, a factor a channel (Liu et al., 2022).


class Ia3(WithPeft):
    """Factors of keys, values and the MLP's inner channels are trained."""

    type: Literal["ia3"] = vary_field(LlmMethod, "type", "ia3")
    who_for: ClassVar[str] = METHODS["ia3"]
    configuration: ClassVar[str] = "IA3Config"
    rate: ClassVar[float | None] = 3e-3
    target_modules: list[str] = Field(
        ["k_proj", "v_proj", "down_proj"],
        min_length=1,
        title=N_("Target modules"),
        description=N_("Which layers are scaled; those of the MLP (feedforward_modules) at their input."),
        json_schema_extra=about(typical=N_("[k_proj, v_proj, down_proj], as in the paper.")),
    )
    feedforward_modules: list[str] = Field(
        ["down_proj"],
        title=N_("Feed-forward modules"),
        description=N_("Those of the target modules that belong to the MLP."),
        json_schema_extra=about(typical=N_("[down_proj].")),
    )

    def options(self) -> dict[str, Any]:
        """As peft calls them."""
        inside = [name for name in self.feedforward_modules if name in self.target_modules]
        return {"target_modules": self.target_modules, "feedforward_modules": inside}

    def trained(self, shape: Decoder) -> int:
        """One factor a channel: outputs of attention's layers, inputs of the MLP's."""
        outputs = {"k_proj": shape.key_value_heads * shape.head, "v_proj": shape.key_value_heads * shape.head}
        inner = shape.intermediate
        return shape.layers * sum(outputs.get(name, inner) for name in self.target_modules)

    def usual_rate(self) -> tuple[float, float]:
        """Higher than for weights: Liu et al. use 3e-3."""
        return 5e-4, 5e-2
