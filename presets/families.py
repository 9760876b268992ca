"""Families of models: the facts that hold for all of one family, those of each size, and how they are looked up.

They stand in ``presets/models/*.yaml`` and are found by the id of a model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from tunewiz.data.text.language import OTHER, TOLD_APART
from tunewiz.language import Language, current
from tunewiz.presets.sections.model import EncoderModel, Instruction, ModelKind
from tunewiz.presets.sections.section import Section
from tunewiz.presets.yaml.tree import parse
from tunewiz.presets.yaml.validation import did_you_mean
from tunewiz.problems import Message

# What is known of a family of models: facts that hold for all of them, and those of each size.


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
    vision: int = Field(0, ge=0, description="How many of them read pictures; they stay as they are.")
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
    tasks: list[ModelKind] = Field(min_length=1)
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


# How many weights a model has, as each language counts.


@dataclass(frozen=True)
class Weights(Message):
    """``count`` weights, rounded: ``23 million`` and ``2300 万``.

    >>> Weights("", count=278_000_000).text("en"), Weights("", count=278_000_000).text("zh")
    ('278 million', '2.78 亿')
    """

    count: int = 0

    def text(self, language: Language | None = None) -> str:
        """In units of a million and a billion, or of ten thousand and a hundred million."""
        if (language or current()) == "zh":
            return f"{self.count / 1e8:.3g} 亿" if self.count >= 1e8 else f"{self.count / 1e4:.0f} 万"
        return f"{self.count / 1e9:.3g} billion" if self.count >= 1e9 else f"{self.count / 1e6:.0f} million"


# The model families in ``presets/models/*.yaml``, looked up by the id of a model.


_FOLDER: Final = Path(__file__).resolve().parent / "models"


@dataclass(frozen=True)
class KnownModel:
    """A model of a family."""

    family: Family
    size: Size


@cache
def families() -> tuple[Family, ...]:
    """Every family, by file name."""
    files = sorted(_FOLDER.glob("*.yaml"))
    return tuple(Family.model_validate(parse(path.read_text("utf-8"), str(path)).value) for path in files)


@cache
def _index() -> Mapping[str, KnownModel]:
    found: dict[str, KnownModel] = {}
    for family in families():
        for size in family.models:
            for name in (size.id, size.modelscope, *size.aliases):
                if name:
                    found.setdefault(name.lower(), KnownModel(family, size))
    return found


def known_models(kind: ModelKind | None = None) -> list[KnownModel]:
    """Every model, or those that can be tuned to be of ``kind``, by family and size."""
    fitting = [family for family in families() if kind in (None, *family.tasks)]
    return [KnownModel(family, size) for family in fitting for size in family.models]


def lookup(model_id: str) -> KnownModel | None:
    """The model with this id on either hub or this alias, whatever its letters' case; ``None`` if unknown.

    A path is looked up by its last two parts, then by its last, for that is how downloads are laid out and named.
    """
    name = model_id.strip().rstrip("/").lower()
    owned, last = "/".join(name.split("/")[-2:]), name.rpartition("/")[2]
    exact = next((_index()[key] for key in (name, owned) if key in _index()), None)
    return exact or next((entry for key, entry in _index().items() if key.rpartition("/")[2] == last), None)


def starter_for(language: str) -> str:
    """The id of the packaged encoder for texts in ``language`` (as of :mod:`tunewiz.data.text.language`; "": any)."""
    packaged = [known for known in known_models("embedding") if known.size.source == "starter"]
    fitting = [known for known in packaged if language in known.family.languages] if language else []
    return next(known.size.id for known in (*fitting, *(one for one in packaged if "multi" in one.family.languages)))


def knows(family: Family, language: str) -> bool:
    """Whether models of ``family`` know texts in ``language`` ("": one that could not be told)."""
    if language == OTHER:
        return not set(family.languages) <= TOLD_APART
    return not language or language in family.languages or "multi" in family.languages


def nearest(model_id: str) -> str:
    """The known id most like ``model_id``, or ""."""
    return did_you_mean(model_id, [entry.size.id for entry in known_models()])


def instructions(model: EncoderModel) -> tuple[str, str]:
    """What goes before queries and before passages: what the preset says, else the family's own, else nothing."""
    entry = lookup(model.id) or (lookup("starter") if model.source == "starter" else None)
    query = entry.family.query_instruction if entry else ""
    passage = entry.family.passage_instruction if entry else ""
    return (
        query if model.query_instruction is None else model.query_instruction,
        passage if model.passage_instruction is None else model.passage_instruction,
    )
