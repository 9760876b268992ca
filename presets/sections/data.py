"""Which data is used for training and evaluation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from data.language import N_
from presets.sections.base import Section


class HeldOut(Section):
    """What the model is measured on, before and after."""

    fraction: float = Field(
        0.1, ge=0, lt=1, title=N_("Held-out fraction"), description=N_("Share of queries kept from training.")
    )
    validation_fraction: Literal["auto"] | Annotated[float, Field(ge=0, lt=1)] = Field(
        "auto",
        title=N_("Validation fraction"),
        description=N_("Share of training queries for evaluations during training; auto: what the size allows."),
    )
    data: str | None = Field(
        None,
        title=N_("Evaluation data"),
        description=N_("A file or BEIR folder of its own; null splits the train data."),
    )
    split: str = Field(
        "auto", title=N_("Evaluation split"), description=N_("Which qrels of a BEIR folder; auto: test.")
    )
    corpus: str | None = Field(None, title=N_("Corpus file"), description=N_("Documents to search, one a line."))
    queries: str | None = Field(None, title=N_("Queries file"), description=N_("Queries, one a line."))
    qrels: str | None = Field(None, title=N_("Judgments file"), description=N_("Which document answers which query."))


class Negatives(Section):
    """Passages that look right and are wrong, mined for each query."""

    strategy: str = Field(
        "none",
        title=N_("Strategy"),
        description=N_("none (only in-batch), random, bm25 or dense (the model itself)."),
        examples=["none", "random", "bm25", "dense"],
    )
    per_query: int = Field(4, ge=1, le=64, title=N_("Per query"), description=N_("How many negatives a query gets."))
    candidates: int = Field(100, ge=2, le=2000, title=N_("Candidates"), description=N_("How deep to search."))
    skip_top: int = Field(
        0, ge=0, le=1000, title=N_("Skip top ranks"), description=N_("Ranks passed over: often right.")
    )
    relative_margin: float = Field(
        0.05,
        ge=0,
        lt=1,
        title=N_("Relative margin"),
        description=N_("Drop those scoring above (1 - margin) x positive."),
    )


class Data(Section):
    """Training and evaluation data."""

    train: str = Field(
        title=N_("Training data"),
        description=N_("A file, a BEIR folder, or sample:NAME for data shipped with Tunewiz."),
    )
    format: str = Field("auto", title=N_("Format"), description=N_("How rows are laid out; auto goes by the columns."))
    split: str = Field("train", title=N_("Training split"), description=N_("Which qrels of a BEIR folder to train on."))
    columns: dict[str, str] = Field(
        default_factory=dict, title=N_("Columns"), description=N_("Role to column name, where the guess is wrong.")
    )
    encoding: str = Field("auto", title=N_("Encoding"), description=N_("auto, utf-8, gb18030, utf-16, cp1252 ..."))
    delimiter: str = Field("auto", title=N_("Delimiter"), description=N_("auto, or the character between columns."))
    header: Literal["auto", "yes", "no"] = Field(
        "auto", title=N_("Header line"), description=N_("Whether the first line names the columns.")
    )
    limit: int | None = Field(None, ge=1, title=N_("Limit"), description=N_("Use at most this many training rows."))
    clean: bool = Field(
        True, title=N_("Clean"), description=N_("Drop empty and duplicate rows, strip HTML and controls.")
    )
    evaluation: HeldOut = Field(default_factory=HeldOut, title=N_("Evaluation data"), description=N_("Held-out data."))
    negatives: Negatives = Field(
        default_factory=Negatives, title=N_("Hard negatives"), description=N_("Wrong passages that look right.")
    )
