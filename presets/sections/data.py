"""Which data is used for training and evaluation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from data.language import N_
from presets.sections.base import Section, about

ValidationFraction = Literal["auto"] | Annotated[float, Field(ge=0, lt=1)]


class HeldOut(Section):
    """What the model is measured on, before and after."""

    fraction: float = Field(
        0.1,
        ge=0,
        lt=1,
        title=N_("Held-out fraction"),
        description=N_(
            "Share of the queries kept out of training for the measure before and after. Used when no evaluation data "
            "is named; no document or near-equal query is on both sides."
        ),
        examples=[0.1, 0.2],
        json_schema_extra=about(
            typical=N_("0.1 to 0.2; at least 50 queries, better 200."),
            larger=N_("A surer measure, less to learn from."),
            smaller=N_("More to learn from; below 50 queries a gain may be chance."),
        ),
    )
    validation_fraction: ValidationFraction = Field(
        "auto",
        title=N_("Validation fraction"),
        description=N_(
            "Share of the training queries set aside to pick the best checkpoint and to stop early. They are not the "
            "held-out queries, so that the final measure stays honest. auto takes what the size of the data allows."
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
        description=N_(
            "A file or BEIR folder used only for measuring; null holds out a part of the training data. Columns mapped "
            "for the training data count here too where they are there."
        ),
        examples=["test.jsonl", "sample:faq-en"],
        json_schema_extra=about(path=True),
    )
    split: str = Field(
        "auto",
        min_length=1,
        title=N_("Evaluation split"),
        description=N_("Which judgments of a BEIR folder to measure on (qrels/SPLIT.tsv); auto takes test."),
        examples=["auto", "test", "dev"],
    )
    corpus: str | None = Field(
        None,
        title=N_("Corpus file"),
        description=N_("The documents to search in, with ids; together with a queries file and a judgments file."),
        examples=["corpus.jsonl"],
        json_schema_extra=about(
            path=True,
            typical=N_("null: searches in all passages of the data. A real corpus is harder and more honest."),
        ),
    )
    queries: str | None = Field(
        None,
        title=N_("Queries file"),
        description=N_("The queries to search for, with ids."),
        examples=["queries.jsonl"],
        json_schema_extra=about(path=True),
    )
    qrels: str | None = Field(
        None,
        title=N_("Judgments file"),
        description=N_("Which document answers which query: query id, document id and grade in each line."),
        examples=["qrels/test.tsv"],
        json_schema_extra=about(path=True),
    )


class Negatives(Section):
    """Passages that look right and are wrong, mined for each query."""

    strategy: str = Field(
        "none",
        min_length=1,
        title=N_("Strategy"),
        description=N_("How wrong passages that look right (hard negatives) are found for each query."),
        examples=["none", "random", "bm25", "dense"],
        json_schema_extra=about(
            typical=N_("none to begin with; dense once the rest works."),
            choices={
                "none": N_("only those of the data, and the other passages of the batch"),
                "random": N_("any other passage: easy ones"),
                "bm25": N_("passages that share words with the query; fast, no model"),
                "dense": N_("what the model itself ranks high and is wrong: the hardest and usually the best"),
            },
        ),
    )
    per_query: int = Field(
        4,
        ge=1,
        le=64,
        title=N_("Negatives per query"),
        description=N_("How many hard negatives each query gets; a step then encodes batch size x (2 + this) texts."),
        json_schema_extra=about(
            typical=N_("1 to 7."), larger=N_("A harder lesson, more memory and time."), smaller=N_("Cheaper.")
        ),
    )
    candidates: int = Field(
        100,
        ge=2,
        le=2000,
        title=N_("Candidates"),
        description=N_("How many top results are looked at for negatives."),
        json_schema_extra=about(
            typical=N_("50 to 200."),
            larger=N_("Reaches further down: easier negatives."),
            smaller=N_("Only the very hardest, which are more often right."),
        ),
    )
    skip_top: int = Field(
        0,
        ge=0,
        le=1000,
        title=N_("Skip top ranks"),
        description=N_("Pass over this many top results: they are often right answers that nobody marked."),
        json_schema_extra=about(
            typical=N_("0 with a margin, 10 without."),
            larger=N_("Safer and easier negatives."),
            smaller=N_("Harder negatives, more of them secretly right."),
        ),
    )
    relative_margin: float = Field(
        0.05,
        ge=0,
        lt=1,
        title=N_("Relative margin"),
        description=N_(
            "Guard against right answers that nobody marked: candidates that score above (1 - margin) x the positive "
            "are dropped."
        ),
        json_schema_extra=about(
            typical=N_("0.05, as in NV-Retriever."),
            larger=N_("Stricter: fewer and safer negatives."),
            smaller=N_("0 drops only those that score as high as the positive."),
        ),
    )


class Rows(Section):
    """Training rows: where they are and how they are read."""

    train: str = Field(
        min_length=1,
        title=N_("Training data"),
        description=N_(
            "A file (csv, tsv, json, jsonl, parquet, xlsx, also .gz), a BEIR folder, or sample:NAME for data that "
            "comes with Tunewiz."
        ),
        examples=["faq.csv", "/data/beir/scifact", "sample:faq-en"],
        json_schema_extra=about(path=True, typical=N_("1,000 to 100,000 pairs; a few hundred good ones already help.")),
    )
    format: str = Field(
        "auto",
        min_length=1,
        title=N_("Format"),
        description=N_("How rows are laid out; auto goes by the columns. `tunewiz data FILE` shows what is found."),
        examples=["auto", "pairs", "triplets", "scored"],
        json_schema_extra=about(typical=N_("auto.")),
    )
    columns: dict[str, str] = Field(
        default_factory=dict,
        title=N_("Columns"),
        description=N_("Which column plays which role, where the guess is wrong or unsure."),
        examples=[{"query": "问题", "positive": "答案"}],
    )
    encoding: str = Field(
        "auto",
        min_length=1,
        title=N_("Encoding"),
        description=N_("How the file stores characters; auto detects it and reports what it found."),
        examples=["auto", "utf-8", "gb18030", "utf-16", "cp1252"],
        json_schema_extra=about(typical=N_("auto; name it when the preview shows wrong characters.")),
    )
    delimiter: Annotated[str, StringConstraints(strip_whitespace=False)] = Field(
        "auto",
        min_length=1,
        title=N_("Delimiter"),
        description=N_("The character between columns of a text table; auto detects it."),
        examples=["auto", ",", ";", "\t"],
    )
    header: Literal["auto", "yes", "no"] = Field(
        "auto",
        title=N_("Header line"),
        description=N_("Whether the first line of a table names the columns."),
        json_schema_extra=about(
            choices={
                "auto": N_("decided by the first lines"),
                "yes": N_("the first line holds names"),
                "no": N_("the first line is data already"),
            },
        ),
    )
    limit: int | None = Field(
        None,
        ge=1,
        title=N_("Limit"),
        description=N_("Use at most this many training rows; null uses all."),
        examples=[None, 1000],
        json_schema_extra=about(typical=N_("null; 1000 for a quick trial.")),
    )
    clean: bool = Field(
        True,
        title=N_("Clean"),
        description=N_("Drop empty and duplicate rows, strip HTML and control characters; the run says how many."),
        json_schema_extra=about(typical=N_("true.")),
    )


class Data(Rows):
    """Training and evaluation data."""

    split: str = Field(
        "train",
        min_length=1,
        title=N_("Training split"),
        description=N_("Which judgments of a BEIR folder to train on (qrels/SPLIT.tsv)."),
        examples=["train", "dev"],
    )
    evaluation: HeldOut = Field(
        default_factory=HeldOut,
        title=N_("Evaluation data"),
        description=N_("What the model is measured on; never trained on."),
    )
    negatives: Negatives = Field(
        default_factory=Negatives,
        title=N_("Hard negatives"),
        description=N_("Wrong passages that look right: with them the model learns to tell close calls apart."),
    )
