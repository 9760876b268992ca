"""IA3: keys, values and the inside of the MLP are scaled, a factor a channel (Liu et al., 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from data.language import N_
from presets.methods.with_peft import WithPeft
from presets.methods.wording import METHODS
from presets.sections.base import about

if TYPE_CHECKING:
    from presets.memory_llm import Decoder


class Ia3(WithPeft):
    """Factors of keys, values and the MLP's inner channels are trained."""

    type: Literal["ia3"] = Field(
        "ia3",
        title=N_("Method"),
        description=N_("Which weights change in training."),
        json_schema_extra=about(choices=METHODS),
    )
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
