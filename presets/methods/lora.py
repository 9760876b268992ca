"""LoRA: small matrices beside frozen 16-bit weights."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from data.language import N_
from presets.methods.low_rank import LowRank
from presets.methods.wording import METHODS
from presets.sections.base import about


class Lora(LowRank):
    """Low-rank matrices are trained beside the frozen weights."""

    type: Literal["lora"] = Field(
        "lora",
        title=N_("Method"),
        description=N_("Which weights change in training."),
        json_schema_extra=about(choices=METHODS),
    )
    who_for: ClassVar[str] = METHODS["lora"]
    pissa: bool = Field(
        False,
        title=N_("PiSSA"),
        description=N_(
            "Start the adapter from the principal singular values of the weights instead of zero (Meng et al., 2024): "
            "learns faster at first. The result is turned into an ordinary adapter."
        ),
        json_schema_extra=about(typical=N_("false; not with dpo or kto.")),
    )

    def arguments(self) -> dict[str, Any]:
        """As LLaMA-Factory calls them; PiSSA by 16 rounds of fast SVD, seconds instead of minutes."""
        start = {"pissa_init": True, "pissa_iter": 16, "pissa_convert": True} if self.pissa else {}
        return super().arguments() | start
