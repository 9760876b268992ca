"""How much of the model is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from tunewiz.language import N_
from tunewiz.presets.sections.section import Section, about, vary_field

_METHODS = {
    "full": N_(
        "train every weight: best quality, most memory; the usual choice for models below 600 million parameters"
    ),
    "lora": N_(
        "train small matrices beside the frozen weights: a fraction of the memory, an adapter of a few megabytes"
    ),
}


class Full(Section):
    """All weights are trained."""

    type: Literal["full"] = Field(
        "full",
        title=N_("Method"),
        description=N_("Which weights change in training."),
        json_schema_extra=about(choices=_METHODS),
    )


class Lora(Section):
    """Small low-rank matrices beside frozen weights are trained (Hu et al., 2021)."""

    type: Literal["lora"] = vary_field(Full, "type", "lora")
    rank: int = Field(
        16,
        ge=1,
        le=1024,
        title=N_("Rank"),
        description=N_("Width of the two small matrices added to each layer: how much the adapter can learn."),
        examples=[8, 16, 32, 64],
        json_schema_extra=about(
            typical=N_("8 to 64."),
            larger=N_("Learns more from large data; more memory, and small data is memorised."),
            smaller=N_("Fewer weights, less forgetting; may not learn enough."),
        ),
    )
    alpha: float = Field(
        32,
        gt=0,
        le=4096,
        title=N_("Alpha"),
        description=N_("Strength of the adapter: its output is multiplied by alpha / rank."),
        json_schema_extra=about(
            typical=N_("Twice the rank."),
            larger=N_("Acts like a higher learning rate; too large is unstable."),
            smaller=N_("The adapter changes little."),
        ),
    )
    dropout: float = Field(
        0.05,
        ge=0,
        lt=1,
        title=N_("Dropout"),
        description=N_("Share of the adapter's inputs set to zero at random while training, against memorising."),
        json_schema_extra=about(
            typical=N_("0 to 0.1."),
            larger=N_("Guards small data against memorising; learns more slowly."),
            smaller=N_("Fits the training data more closely."),
        ),
    )
    target_modules: Literal["all"] | list[str] = Field(
        "all",
        title=N_("Target modules"),
        description=N_("Which layers get an adapter: all linear layers, or a list of layer names of this model."),
        examples=["all", ["query", "key", "value"], ["q_proj", "v_proj"]],
        json_schema_extra=about(
            typical=N_("all. Attention layers only ([query, key, value] in BERT models) save memory and learn less.")
        ),
    )
    use_rslora: bool = Field(
        False,
        title=N_("Rank-stabilised LoRA"),
        description=N_("Multiply by alpha / sqrt(rank) instead of alpha / rank (Kalajdzievski, 2023)."),
        json_schema_extra=about(typical=N_("false; true helps ranks of 64 and more.")),
    )
    use_dora: bool = Field(
        False,
        title=N_("DoRA"),
        description=N_(
            "Train direction and length of weights apart (Liu et al., 2024): closer to full tuning, slower."
        ),
        json_schema_extra=about(typical=N_("false; worth a try at ranks of 8 and below.")),
    )


def expand_short_form(value: Any) -> Any:
    """``method: lora`` is short for ``method: {type: lora}``."""
    return {"type": value} if isinstance(value, str) else value


def type_of(value: Any) -> str | None:
    """What tells the methods apart, of plain data or of a method."""
    named = value.get("type") if isinstance(value, Mapping) else getattr(value, "type", None)
    return named if isinstance(named, str) else None


Method = Annotated[
    Annotated[Full, Tag("full")] | Annotated[Lora, Tag("lora")],
    Discriminator(type_of),
    BeforeValidator(expand_short_form),
]
