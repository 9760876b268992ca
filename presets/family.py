"""What is known of a family of models: facts that hold for all of them, and those of each size."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from presets.sections.base import Section
from presets.sections.model import Instruction


class Notes(Section):
    """What a user should know, in both languages."""

    en: str = Field(min_length=1)
    zh: str = Field(min_length=1)


class Size(Section):
    """One model. Counts are exact or rounded to three digits; ``download`` is in bytes, of the files needed."""

    id: str = Field(pattern=r"^[\w.-]+(/[\w.-]+)?$", description="On Hugging Face, or the name of a packaged model.")
    modelscope: str | None = Field(None, description="On ModelScope; null where that is not certain.")
    aliases: list[str] = Field(default_factory=list)
    source: Literal["hub", "starter"] = "hub"
    parameters: int = Field(gt=0)
    download: int = Field(gt=0)
    hidden: int = Field(gt=0)
    layers: int = Field(gt=0)
    heads: int = Field(gt=0)
    intermediate: int = Field(gt=0)
    gated: bool = Field(False, description="Whether the MLP has a gate: three matrices instead of two.")
    decoder: bool = Field(False, description="Whether it is a decoder of the Llama and Qwen kind.")
    key_value_heads: int | None = Field(None, gt=0, description="Fewer than heads where queries share them.")
    head: int | None = Field(None, gt=0, description="Width of a head; null for hidden / heads.")
    tied: bool = Field(True, description="Whether one matrix serves as input and output embedding.")
    vocabulary: int = Field(gt=0)
    max_length: int = Field(gt=0, description="Tokens the model can read at most.")
    batch_size: int = Field(gt=0, description="A batch to begin with.")
    learning_rate: float = Field(gt=0, lt=1, description="To begin with, all weights trained.")
    lora_learning_rate: float = Field(1e-4, gt=0, lt=1)


class Family(Section):
    """Models that share architecture, licence and the way they are asked."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    title: str
    tasks: list[Literal["embedding", "reranker", "llm"]] = Field(min_length=1)
    licence: str
    commercial: bool = Field(description="Whether the licence allows commercial use.")
    languages: list[str] = Field(min_length=1, description="ISO 639-1 codes; multi for about a hundred.")
    pooling: Literal["mean", "cls", "lasttoken"] | None = Field(None, description="Null for models without vectors.")
    normalised_queries: bool = Field(False, description="Whether attention normalises queries and keys (more memory).")
    query_instruction: Instruction = ""
    passage_instruction: Instruction = ""
    trust_remote_code: bool = False
    notes: Notes
    reference: str = Field(description="Where these facts come from.")
    models: list[Size] = Field(min_length=1)
