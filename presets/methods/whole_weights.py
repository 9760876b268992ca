"""Methods that train the model's own weights: all of them, or those of some layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from tunewiz.language import N_
from tunewiz.presets.methods.method import METHODS, LlmMethod
from tunewiz.presets.sections.section import about, vary_field

if TYPE_CHECKING:
    from tunewiz.presets.memory.language_model import Decoder


# Full tuning: every weight is trained.


class Full(LlmMethod):
    """All weights are trained."""

    place = 30
    type: Literal["full"] = vary_field(LlmMethod, "type", "full")
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


# Freeze tuning: some layers are trained whole, the others not at all.


class Freeze(LlmMethod):
    """A few layers are trained."""

    place = 40
    type: Literal["freeze"] = vary_field(LlmMethod, "type", "freeze")
    who_for: ClassVar[str] = METHODS["freeze"]
    adapter: ClassVar[bool] = False
    layers: int = Field(
        2,
        ge=-256,
        le=256,
        title=N_("Trained layers"),
        description=N_("How many of the last layers are trained; a negative number counts from the first."),
        examples=[2, 4, -2],
        json_schema_extra=about(
            typical=N_("2 to 8."), larger=N_("Learns more, takes more memory."), smaller=N_("Cheaper, forgets less.")
        ),
    )
    extra_modules: list[str] = Field(
        default_factory=list,
        title=N_("Extra modules"),
        description=N_("Parts outside the layers that are trained too, such as embed_tokens or norm."),
        examples=[[], ["embed_tokens", "norm"]],
    )

    def arguments(self) -> dict[str, Any]:
        """As LLaMA-Factory calls them."""
        extra = {"freeze_extra_modules": ",".join(self.extra_modules)} if self.extra_modules else {}
        return {"finetuning_type": "freeze", "freeze_trainable_layers": self.layers} | extra

    def trained(self, shape: Decoder) -> int:
        """The weights of the trained layers, and of the embedding where it is trained."""
        layers = min(abs(self.layers), shape.layers) * shape.matrices // shape.layers
        return layers + (shape.vocabulary * shape.hidden if "embed_tokens" in self.extra_modules else 0)

    def usual_rate(self) -> tuple[float, float]:
        """Small steps, as for full tuning."""
        return 1e-6, 2e-4
