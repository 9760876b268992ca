"""How the training of a language model goes, and how it learns from preferences.

Defaults are those of LLaMA-Factory's examples/train_lora/qwen3_lora_sft.yaml.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tunewiz.language import N_
from tunewiz.presets.sections.section import Section, about, vary_field
from tunewiz.presets.sections.training import Scheduler, Training


class LlmTraining(Training):
    """As :class:`Training`, with what language models need otherwise."""

    epochs: float = vary_field(
        Training,
        "epochs",
        3.0,
        examples=[1, 3],
        typical=N_("1 for 50,000 rows and more, 3 for thousands."),
        larger=N_("Learns the data better, then by heart: answers become copies."),
    )
    batch_size: int = vary_field(
        Training,
        "batch_size",
        2,
        description=N_("Rows computed at once on a device. Together with accumulation it makes the step's batch."),
        examples=[1, 2, 4, 8],
        typical=N_("1 to 8; auto takes what fits the memory, with as many rows a step."),
        larger=N_("Faster on a large GPU; more memory."),
        smaller=N_("Less memory; raise accumulation to keep the same step."),
    )
    accumulation: int = vary_field(
        Training,
        "accumulation",
        8,
        description=N_(
            "Batches added up before the weights change: batch size x accumulation rows make one step, at the memory "
            "of one batch."
        ),
        typical=N_("So that a step has 8 to 32 rows."),
    )
    max_length: int = vary_field(
        Training,
        "max_length",
        2048,
        limits={"ge": 16, "le": 131072},
        description=N_(
            "Tokens kept of each conversation, prompt and answer together; the rest is cut off. `tunewiz data FILE` "
            "measures yours."
        ),
        examples=[512, 2048, 4096],
        typical=N_("What 95 to 99 of 100 rows need."),
        smaller=N_("Fast; the end of long answers is never learned."),
    )
    learning_rate: float = vary_field(
        Training,
        "learning_rate",
        1e-4,
        examples=[1e-4, 1e-5],
        typical=N_("1e-4 with adapters (5e-5 to 3e-4), 1e-5 when all weights are trained, 5e-6 for dpo."),
    )
    scheduler: Scheduler = vary_field(Training, "scheduler", "cosine")
    weight_decay: float = vary_field(Training, "weight_decay", 0.0)
    gradient_checkpointing: bool = vary_field(
        Training,
        "gradient_checkpointing",
        True,
        typical=N_("true; false for small models with memory to spare."),
    )
    group_by_length: bool = vary_field(
        Training, "group_by_length", False, typical=N_("false; true for batches of 4 and more with mixed lengths.")
    )
    packing: bool = Field(
        False,
        title=N_("Packing"),
        description=N_("Fill each sequence up to the max length with several short rows that do not see each other."),
        json_schema_extra=about(typical=N_("false; true when most rows are far shorter than the max length.")),
    )
    trained_on: Literal["answers", "last_answer", "everything"] = Field(
        "answers",
        title=N_("Trained on"),
        description=N_("Which tokens of a conversation the loss counts."),
        json_schema_extra=about(
            typical=N_("answers."),
            choices={
                "answers": N_("every answer of the assistant"),
                "last_answer": N_("only the last answer of each conversation"),
                "everything": N_("the user's words too, as in pre-training"),
            },
        ),
    )
    neftune: float = Field(
        0.0,
        ge=0,
        le=100,
        title=N_("NEFTune noise"),
        description=N_("Noise added to the embeddings while training (Jain et al., 2023): answers grow richer."),
        json_schema_extra=about(typical=N_("0; 5 for chats with little data.")),
    )
    attention: Literal["auto", "sdpa", "flash_attention_2", "eager"] = Field(
        "auto",
        title=N_("Attention"),
        description=N_("Which implementation of attention computes."),
        json_schema_extra=about(
            typical=N_("auto."),
            choices={
                "auto": N_("what the library takes for this model: torch's own (sdpa) as a rule"),
                "sdpa": N_("torch's scaled dot product attention"),
                "flash_attention_2": N_("needs the package flash-attn and a GPU since 2020; saves memory"),
                "eager": N_("plain matrices: slow, works everywhere"),
            },
        ),
    )
    liger: bool = Field(
        False,
        title=N_("Liger kernel"),
        description=N_("Fused kernels that never hold all logits: saves gigabytes with large vocabularies."),
        json_schema_extra=about(typical=N_("false; true where the package liger-kernel is installed, on a GPU.")),
    )


# How a language model learns from pairs of answers, or from judged ones.


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
