"""QLoRA: small matrices beside frozen weights that are stored in 4 or 8 bits (Dettmers et al., 2023)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from data.language import N_
from presets.methods.low_rank import LowRank
from presets.methods.wording import METHODS
from presets.sections.base import about


class Qlora(LowRank):
    """Low-rank matrices are trained beside quantised weights."""

    type: Literal["qlora"] = Field(
        "qlora",
        title=N_("Method"),
        description=N_("Which weights change in training."),
        json_schema_extra=about(choices=METHODS),
    )
    who_for: ClassVar[str] = METHODS["qlora"]
    bits: Literal[4, 8] = Field(
        4,
        title=N_("Bits"),
        description=N_("Bits in which the frozen weights are stored (bitsandbytes); computing stays in 16 bit."),
        json_schema_extra=about(
            typical=N_("4."), larger=N_("8 is nearer to the original model and takes twice the memory.")
        ),
    )
    quant_type: Literal["nf4", "fp4"] = Field(
        "nf4",
        title=N_("Quantisation type"),
        description=N_("Which 16 values four bits stand for."),
        json_schema_extra=about(
            choices={
                "nf4": N_("spaced for weights that are normally distributed, as they are"),
                "fp4": N_("a tiny floating-point number"),
            },
        ),
    )
    double_quantisation: bool = Field(
        True,
        title=N_("Double quantisation"),
        description=N_("Also quantise the scale of each block: saves 0.4 bits a weight."),
        json_schema_extra=about(typical=N_("true.")),
    )

    @property
    def stored_bits(self) -> Literal[4, 8, 16]:
        """Bits of a frozen weight."""
        return self.bits

    def arguments(self) -> dict[str, Any]:
        """As LLaMA-Factory calls them; normalisation layers are kept in fp32, as it recommends."""
        quantised: dict[str, Any] = {"quantization_bit": self.bits, "quantization_method": "bnb"}
        if self.bits == 4:
            quantised |= {"quantization_type": self.quant_type, "double_quantization": self.double_quantisation}
        return super().arguments() | quantised
