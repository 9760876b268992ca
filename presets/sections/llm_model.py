"""Which language model is tuned and where it comes from."""

from __future__ import annotations

from data.language import N_
from presets.sections.base import varied
from presets.sections.model import Model, Source


class LlmModel(Model):
    """The language model to tune."""

    id: str = varied(
        Model,
        "id",
        description=N_(
            "The model to start from: a hub id such as Qwen/Qwen3-0.6B, or the path of a folder that holds a model. "
            "`tunewiz models --task llm` lists those with known settings."
        ),
        examples=["Qwen/Qwen3-0.6B", "Qwen/Qwen3-4B-Instruct-2507", "/models/my-llm", "starter-llm"],
        typical=N_("The smallest that nearly does what you need; one that follows instructions needs less data."),
        larger=N_("A larger model answers better, and needs more memory and time."),
        smaller=N_("A smaller model trains and answers faster, and knows less."),
    )
    source: Source = varied(
        Model, "source", choices={"starter": N_("Gemma 3 270M, which installs with Tunewiz: no network needed")}
    )
