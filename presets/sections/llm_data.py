"""Which data a language model learns from and is measured on."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from data.language import N_
from presets.sections.base import Section, varied
from presets.sections.data import HeldOut, Rows, ValidationFraction

#: Texts that go to the model as they are written, spaces and line breaks included.
Verbatim = Annotated[str, StringConstraints(strip_whitespace=False)]


class LlmHeldOut(Section):
    """Rows the model is measured on, before and after."""

    fraction: float = varied(
        HeldOut,
        "fraction",
        description=N_(
            "Share of the rows kept out of training for the measure before and after, at most 500. Used when no "
            "evaluation data is named; near-equal rows are on one side only, labels are spread evenly."
        ),
        typical=N_("0.05 to 0.2; at least 50 rows."),
        smaller=N_("More to learn from; below 50 rows a gain may be chance."),
    )
    validation_fraction: ValidationFraction = varied(
        HeldOut,
        "validation_fraction",
        description=N_(
            "Share of the training rows set aside to pick the best checkpoint and to stop early. They are not the "
            "held-out rows, so that the final measure stays honest. auto takes what the size of the data allows."
        ),
    )
    data: str | None = varied(
        HeldOut,
        "data",
        description=N_(
            "A file used only for measuring; null holds out a part of the training data. Columns mapped for the "
            "training data count here too where they are there."
        ),
        examples=["test.jsonl"],
    )


class LlmData(Rows):
    """Training and evaluation data of a language model."""

    train: str = varied(
        Rows,
        "train",
        description=N_(
            "A file (json, jsonl, csv, tsv, parquet, xlsx, txt, also .gz) with instructions and answers, "
            "conversations, texts, pairs of answers, or texts with a label; or sample:NAME for data that comes "
            "with Tunewiz."
        ),
        examples=["alpaca.json", "chats.jsonl", "tickets.csv"],
        typical=N_("500 to 50,000 rows; a thousand good ones beat many bad ones."),
    )
    format: str = varied(Rows, "format", examples=["auto", "alpaca", "sharegpt", "messages", "classification"])
    columns: dict[str, str] = varied(Rows, "columns", examples=[{"prompt": "问题", "response": "答案"}])
    placeholders: dict[str, str] = Field(
        default_factory=dict,
        title=N_("Placeholders"),
        description=N_("What to put in place of {{name}} in the texts; those without a value are reported."),
        examples=[{"name": "Tunewiz", "author": "ACME"}],
    )
    prompt: Verbatim | None = Field(
        None,
        title=N_("Classification prompt"),
        description=N_(
            "How a text and its possible labels become an instruction; {text} and {labels} stand for them. null takes "
            "a plain one in the language of the data."
        ),
        examples=["Which of {labels} is this about?\n\n{text}"],
    )
    labels: list[str] | None = Field(
        None,
        title=N_("Labels"),
        description=N_("The labels of a classification; null takes those that occur in the data."),
        examples=[["positive", "negative"]],
    )
    system: Verbatim | None = Field(
        None,
        title=N_("System prompt"),
        description=N_(
            "Put before conversations that have none, in training and in measuring; use the same one later."
        ),
        examples=["You are a helpful assistant."],
    )
    evaluation: LlmHeldOut = Field(
        default_factory=LlmHeldOut,
        title=N_("Evaluation data"),
        description=N_("What the model is measured on; never trained on."),
    )
