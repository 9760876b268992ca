"""Which language model is tuned and where it comes from."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from data.language import N_
from presets.sections.base import about
from presets.sections.model import Model


class LlmModel(Model):
    """The language model to tune."""

    id: str = Field(
        title=N_("Model"),
        description=N_(
            "The model to start from: a hub id such as Qwen/Qwen3-0.6B, or the path of a folder that holds a model. "
            "`tunewiz models --task llm` lists those with known settings."
        ),
        min_length=1,
        examples=["Qwen/Qwen3-0.6B", "Qwen/Qwen3-4B-Instruct-2507", "/models/my-llm", "starter-llm"],
        json_schema_extra=about(
            typical=N_("The smallest that nearly does what you need; one that follows instructions needs less data."),
            larger=N_("A larger model answers better, and needs more memory and time."),
            smaller=N_("A smaller model trains and answers faster, and knows less."),
        ),
    )
    source: Literal["auto", "huggingface", "modelscope", "local", "starter"] = Field(
        "auto",
        title=N_("Source"),
        description=N_("Where the weights come from."),
        json_schema_extra=about(
            choices={
                "auto": N_("a local path, then what is already downloaded, then the first hub that answers"),
                "huggingface": N_("huggingface.co, or the mirror named by HF_ENDPOINT"),
                "modelscope": N_("modelscope.cn, quick to reach from mainland China"),
                "local": N_("a folder on this machine"),
                "starter": N_("Gemma 3 270M, which installs with Tunewiz: no network needed"),
            },
        ),
    )
