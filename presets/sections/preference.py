"""How a language model learns from pairs of answers, or from judged ones."""

from __future__ import annotations

from pydantic import Field

from data.language import N_
from presets.sections.base import Section, about


class Preference(Section):
    """Options of dpo, orpo, simpo and kto; the other stages do not look at them."""

    beta: float = Field(
        0.1,
        gt=0,
        le=100,
        title=N_("Beta"),
        description=N_("How closely the model stays with what it was (dpo, kto), or the weight of the preference."),
        examples=[0.1, 2.0],
        json_schema_extra=about(
            typical=N_("0.1 for dpo, orpo and kto; 2 to 2.5 for simpo."),
            larger=N_("Stays nearer to the model it began from."),
            smaller=N_("Moves further, and may unlearn how to write."),
        ),
    )
    gamma: float = Field(
        0.5,
        ge=0,
        le=100,
        title=N_("Gamma"),
        description=N_("simpo only: by how much the chosen answer should be ahead."),
        json_schema_extra=about(typical=N_("0.5 to 1.5.")),
    )
    sft_weight: float = Field(
        0.0,
        ge=0,
        le=100,
        title=N_("Weight of the answer itself"),
        description=N_("How much plain learning of the chosen answer is added (dpo, simpo, kto)."),
        json_schema_extra=about(typical=N_("0; 0.1 to 1 when the chosen answers become less likely in training.")),
    )
    label_smoothing: float = Field(
        0.0,
        ge=0,
        lt=0.5,
        title=N_("Label smoothing"),
        description=N_("dpo only: share of the pairs that may be the wrong way round."),
        json_schema_extra=about(typical=N_("0; 0.1 for noisy judgments.")),
    )
