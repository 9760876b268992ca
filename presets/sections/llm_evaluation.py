"""How a language model is measured."""

from __future__ import annotations

from pydantic import Field

from data.language import N_
from presets.sections.base import Section, about, varied
from presets.sections.evaluation import Evaluation


class LlmEvaluation(Section):
    """Measures on held-out rows before and after training, with the same template and labels on answers only."""

    baseline: bool = varied(Evaluation, "baseline")
    rows: int = Field(
        500,
        ge=1,
        le=1_000_000,
        title=N_("Measured rows"),
        description=N_("At most this many held-out rows are measured, drawn once by the seed."),
        json_schema_extra=about(
            typical=N_("200 to 1000."), larger=N_("A surer measure, takes longer."), smaller=N_("Faster.")
        ),
    )
    answers: int = Field(
        8,
        ge=0,
        le=10_000,
        title=N_("Written answers"),
        description=N_(
            "How many held-out prompts the model answers before and after; the report shows them side by side and "
            "compares them with the expected answers (BLEU-4, ROUGE-L). Classification needs none."
        ),
        json_schema_extra=about(typical=N_("5 to 50; each takes seconds, on a CPU longer.")),
    )
    max_new_tokens: int = Field(
        128,
        ge=1,
        le=32768,
        title=N_("Max new tokens"),
        description=N_("Where a written answer is cut off."),
        json_schema_extra=about(typical=N_("64 to 512.")),
    )
    batch_size: int = Field(
        8,
        ge=1,
        le=65536,
        title=N_("Evaluation batch size"),
        description=N_("Rows measured at once; it changes speed and memory, never the result."),
        json_schema_extra=about(typical=N_("4 to 32.")),
    )
    bootstrap: int = varied(
        Evaluation,
        "bootstrap",
        description=N_("How often the rows are drawn anew to find how sure the gain is (95% confidence interval)."),
    )
