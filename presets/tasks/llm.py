"""The llm task: tuning of a causal language model on instructions, conversations, texts, labels or preferences."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from data.language import N_
from data.problems import Problem
from presets import checks_llm
from presets.methods import AnyMethod
from presets.methods.lora import Lora
from presets.preset import Preset
from presets.sections.base import about
from presets.sections.evaluation import Export
from presets.sections.llm_data import LlmData
from presets.sections.llm_evaluation import LlmEvaluation
from presets.sections.llm_model import LlmModel
from presets.sections.llm_training import LlmTraining
from presets.sections.preference import Preference


class LlmPreset(Preset):
    """A preset that tunes a language model."""

    PLACE: ClassVar[int] = 2

    task: Literal["llm"] = Field(
        "llm", title=N_("Task"), description=N_("What kind of model is tuned: one that writes answers.")
    )
    backend: str = Field("llama_factory", title=N_("Backend"), description=N_("The library that trains."))
    stage: Literal["auto", "sft", "pretrain", "dpo", "orpo", "simpo", "kto"] = Field(
        "auto",
        title=N_("Stage"),
        description=N_("What is learned from the rows."),
        json_schema_extra=about(
            typical=N_("auto."),
            choices={
                "auto": N_("what fits the rows: sft for answers, pretrain for texts, dpo for pairs, kto for judgments"),
                "sft": N_("to answer as in the data (supervised fine-tuning)"),
                "pretrain": N_("to continue texts, for knowledge of a field"),
                "dpo": N_("to prefer the chosen answer, held near to the model it was"),
                "orpo": N_("to answer and to prefer in one, without a second model"),
                "simpo": N_("to prefer by the mean likelihood of a token, without a second model"),
                "kto": N_("from single answers that were liked or not"),
            },
        ),
    )
    template: str = Field(
        "auto",
        min_length=1,
        title=N_("Chat template"),
        description=N_(
            "How a conversation is written for the model, by LLaMA-Factory's name. auto takes the model's own; the run "
            "keeps it for training, measuring, chat and export."
        ),
        examples=["auto", "qwen3_nothink", "llama3", "gemma"],
        json_schema_extra=about(typical=N_("auto. Another template than the model's own gives garbage.")),
    )
    model: LlmModel = Field(title=N_("Model"), description=N_("Which model is tuned and where it comes from."))
    data: LlmData = Field(title=N_("Data"), description=N_("What it learns from and what it is measured on."))
    method: AnyMethod = Field(
        default_factory=Lora, title=N_("Method"), description=N_("How much of the model is trained.")
    )
    preference: Preference = Field(
        default_factory=Preference,
        title=N_("Preference"),
        description=N_("How it learns from pairs of answers; for dpo, orpo, simpo and kto."),
    )
    training: LlmTraining = Field(
        default_factory=LlmTraining,
        title=N_("Training"),
        description=N_("How long, how fast and how carefully it learns."),
    )
    evaluation: LlmEvaluation = Field(
        default_factory=LlmEvaluation,
        title=N_("Evaluation"),
        description=N_("How the model is measured, before and after."),
    )
    export: Export = Field(
        default_factory=Export, title=N_("Export"), description=N_("What is left when the run is over.")
    )
    backend_options: dict[str, Any] = Field(
        default_factory=dict,
        title=N_("Backend options"),
        description=N_("Any argument of LLaMA-Factory by its own name; it wins over the keys above."),
        examples=[{"use_muon": True, "mix_strategy": "concat"}],
        json_schema_extra=about(rule=N_("names of arguments with their values, one a line")),
    )

    def problems(self) -> list[Problem]:
        """What does not go together; see :mod:`presets.checks_llm`."""
        return checks_llm.problems(self)
