"""How much of the model is trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from data.language import N_
from presets.sections.base import Section


class Full(Section):
    """All weights are trained."""

    type: Literal["full"] = Field("full", title=N_("Method"), description=N_("Train every weight."))


class Lora(Section):
    """Small low-rank matrices beside frozen weights are trained (Hu et al., 2021)."""

    type: Literal["lora"] = Field("lora", title=N_("Method"), description=N_("Train low-rank adapters only."))
    rank: int = Field(16, ge=1, le=1024, title=N_("Rank"), description=N_("Size of the adapters."))
    alpha: float = Field(32, gt=0, title=N_("Alpha"), description=N_("Scale of the adapters; usually 2 x rank."))
    dropout: float = Field(0.05, ge=0, lt=1, title=N_("Dropout"), description=N_("Share of adapter inputs dropped."))
    target_modules: Literal["all"] | list[str] = Field(
        "all", title=N_("Target modules"), description=N_("all linear layers, or names of layers.")
    )


Method = Annotated[Full | Lora, Field(discriminator="type")]
