"""Which data a language model learns from and is measured on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from data.language import N_
from presets.sections.base import Section, about
from presets.sections.data import Rows

#: Texts that go to the model as they are written, spaces and line breaks included.
Verbatim = Annotated[str, StringConstraints(strip_whitespace=False)]


class LlmHeldOut(Section):
    """Rows the model is measured on, before and after."""

    fraction: float = Field(
        0.1,
        ge=0,
        lt=1,
        title=N_("Held-out fraction"),
        description=N_(
            "Share of the rows kept out of training for the measure before and after, at most 500. Used when no "
            "evaluation data is named; near-equal rows are on one side only, labels are spread evenly."
        ),
        examples=[0.1, 0.2],
        json_schema_extra=about(
            typical=N_("0.05 to 0.2; at least 50 rows."),
            larger=N_("A surer measure, less to learn from."),
            smaller=N_("More to learn from; below 50 rows a gain may be chance."),
        ),
    )
    validation_fraction: Literal["auto"] | Annotated[float, Field(ge=0, lt=1)] = Field(
        "auto",
        title=N_("Validation fraction"),
        description=N_(
            "Share of the training rows set aside to pick the best checkpoint and to stop early. They are not the "
            "held-out rows, so that the final measure stays honest. auto takes what the size of the data allows."
        ),
        examples=["auto", 0.1, 0],
        json_schema_extra=about(
            typical=N_("auto, or 0.05 to 0.1."),
            larger=N_("A surer choice of checkpoint, less to learn from."),
            smaller=N_("More to learn from; 0 picks no checkpoint and ends with the last."),
        ),
    )
    data: str | None = Field(
        None,
        title=N_("Evaluation data"),
        description=N_("A file used only for measuring; null holds out a part of the training data."),
        examples=["test.jsonl"],
        json_schema_extra=about(path=True),
    )


class LlmData(Rows):
    """Training and evaluation data of a language model."""

    train: str = Field(
        min_length=1,
        title=N_("Training data"),
        description=N_(
            "A file (json, jsonl, csv, tsv, parquet, xlsx, txt, also .gz) with instructions and answers, "
            "conversations, texts, pairs of answers, or texts with a label; or sample:NAME for data that comes "
            "with Tunewiz."
        ),
        examples=["alpaca.json", "chats.jsonl", "tickets.csv"],
        json_schema_extra=about(path=True, typical=N_("500 to 50,000 rows; a thousand good ones beat many bad ones.")),
    )
    format: str = Field(
        "auto",
        min_length=1,
        title=N_("Format"),
        description=N_("How rows are laid out; auto goes by the columns. `tunewiz data FILE` shows what is found."),
        examples=["auto", "alpaca", "sharegpt", "messages", "classification"],
        json_schema_extra=about(typical=N_("auto.")),
    )
    columns: dict[str, str] = Field(
        default_factory=dict,
        title=N_("Columns"),
        description=N_("Which column plays which role, where the guess is wrong or unsure."),
        examples=[{"prompt": "问题", "response": "答案"}],
    )
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
