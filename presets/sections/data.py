"""Which data a model learns from and is measured on, and which documents a reranker puts in order."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from tunewiz.language import N_
from tunewiz.presets.sections.rows import NamedLabels, Rows, Train
from tunewiz.presets.sections.section import Section, about, vary_field

# Which data is used for training and evaluation.


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
            "A file or BEIR folder used only for measuring; empty (null) holds out a part of the training data. "
            "Columns mapped for the training data count here too where they are there."
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
            typical=N_("empty (null): searches in all passages of the data. A real corpus is harder and more honest."),
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
        title=N_("Where negatives come from"),
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
        description=N_(
            "How many hard negatives each query gets, mined and of the data's own; where the data has more, each epoch "
            "draws others. A step then encodes batch size x (2 + this) texts."
        ),
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

    @property
    def mined(self) -> int:
        """How many each query gets; 0 where none are mined."""
        return self.per_query if self.strategy != "none" else 0


class Teacher(Section):
    """A reranker that reads each query with its passages before training."""

    model: str | None = Field(
        None,
        title=N_("Teacher"),
        description=N_(
            "A reranker that scores each query with its right and its wrong passages before training: the name or "
            "folder of a run that tuned one, a model's folder, or a hub id. Empty (null): none."
        ),
        examples=["faq-reranker-20260101-120000", "BAAI/bge-reranker-base", None],
        json_schema_extra=about(
            typical=N_("empty (null) to begin with; a reranker that is better than the model it teaches."),
        ),
    )
    use: Literal["filter", "distil", "both"] = Field(
        "filter",
        title=N_("What it is used for"),
        description=N_("What its scores do."),
        json_schema_extra=about(
            typical=N_("filter: works with every loss that takes negatives."),
            choices={
                "filter": N_("mined passages that it takes for right are dropped: nobody had marked them"),
                "distil": N_("the loss learns its scores: margin_mse, distill_kl, or one with distillation"),
                "both": N_("first the one, then the other"),
            },
        ),
    )
    margin: float = Field(
        0.0,
        ge=-100,
        le=100,
        title=N_("Margin of the filter"),
        description=N_(
            "Mined passages that score above the right one less this margin are dropped; scores are the reranker's "
            "own, before any sigmoid."
        ),
        examples=[0.0, 1.0],
        json_schema_extra=about(
            typical=N_("0; 1 for a reranker that is sure of itself."),
            larger=N_("Stricter: fewer and safer negatives."),
            smaller=N_("Below 0 drops only those that score clearly higher than the right one."),
        ),
    )

    @property
    def filters(self) -> bool:
        """Whether it looks through what was mined."""
        return self.model is not None and self.use != "distil"

    @property
    def teaches(self) -> bool:
        """Whether its scores are learned."""
        return self.model is not None and self.use != "filter"


class Data(Rows):
    """Training and evaluation data."""

    split: str = Field(
        "train",
        min_length=1,
        title=N_("Training split"),
        description=N_("Which judgments of a BEIR folder to train on (qrels/SPLIT.tsv)."),
        examples=["train", "dev"],
    )
    labels: NamedLabels = Field(
        default_factory=dict,
        title=N_("Labels"),
        description=N_(
            "What each label or grade of scored pairs and judgments is worth, where that is not clear by itself: the "
            "higher, the more relevant."
        ),
        examples=[{"E": 1, "S": 0.1, "C": 0.01, "I": 0}],
        json_schema_extra=about(typical=N_("{}: numbers as they are, known words (relevant, 不相关) by their scale.")),
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
    teacher: Teacher = Field(
        default_factory=Teacher,
        title=N_("Teacher"),
        description=N_("A reranker whose scores sort out mined passages that are right, or are learned."),
    )


# Which documents a reranker puts in order.


class Candidates(Section):
    """The first stage of a search: it finds the documents that the reranker sees."""

    strategy: Literal["bm25", "dense"] = Field(
        "bm25",
        title=N_("First stage"),
        description=N_("How the candidates are found that the reranker puts in order, when measuring."),
        json_schema_extra=about(
            typical=N_("What your search does today."),
            choices={
                "bm25": N_("by the words they share with the query; fast, no model"),
                "dense": N_("by an embedding model"),
            },
        ),
    )
    model: str = Field(
        "starter",
        min_length=1,
        title=N_("Embedding model"),
        description=N_(
            "The model of a dense first stage, and of dense negatives: a hub id, a folder (such as a run's model), or "
            "starter, the packaged one that knows the language of the texts."
        ),
        examples=["starter", "BAAI/bge-small-zh-v1.5", "runs/faq-embedding-20260101-120000/model"],
        json_schema_extra=about(typical=N_("The embedding model that your search uses.")),
    )
    depth: int = Field(
        100,
        ge=2,
        le=1000,
        title=N_("Depth"),
        description=N_("How many candidates of each query are reranked; what is not among them cannot be found."),
        examples=[20, 50, 100],
        json_schema_extra=about(
            typical=N_("20 to 100."),
            larger=N_("More right documents within reach; every query takes longer."),
            smaller=N_("Faster; the first stage must be good."),
        ),
    )
    search_share: Literal["auto"] | Annotated[float, Field(ge=0, le=1)] = Field(
        "auto",
        title=N_("Share of the search"),
        description=N_(
            "How much the scores of the first stage count in the final order, the reranker's counting for the rest; "
            "both are standardised over the candidates of a query. auto chooses by the validation queries, the search "
            "alone among the choices; without them it is 0.75 for a head that begins from nothing, otherwise 0."
        ),
        examples=["auto", 0, 0.5],
        json_schema_extra=about(
            typical=N_("auto; 0.3 to 0.7 for a reranker that learned from little data."),
            larger=N_(
                "Closer to the search alone; a poor reranker does less harm. At 1 the reranker counts for nothing."
            ),
            smaller=N_("The reranker decides; at 0 alone."),
        ),
    )

    def share(self, fresh: bool = False) -> float:
        """The share that is written; of auto, what serves without a measure. ``fresh``: of a head new before training.

        A head trained from nothing on a few hundred queries knows less than BM25: on two collections half of the search
        measured below the search alone and three quarters above it (BENCHMARKS.md, quality).
        """
        return (0.75 if fresh else 0.0) if self.search_share == "auto" else self.search_share


# Which data a language model learns from and is measured on.


#: Texts that go to the model as they are written, spaces and line breaks included.
Verbatim = Annotated[str, StringConstraints(strip_whitespace=False)]


class LlmHeldOut(Section):
    """Rows the model is measured on, before and after."""

    fraction: float = vary_field(
        HeldOut,
        "fraction",
        description=N_(
            "Share of the rows kept out of training for the measure before and after, at most 500. Used when no "
            "evaluation data is named; near-equal rows are on one side only, labels are spread evenly."
        ),
        typical=N_("0.05 to 0.2; at least 50 rows."),
        smaller=N_("More to learn from; below 50 rows a gain may be chance."),
    )
    validation_fraction: ValidationFraction = vary_field(
        HeldOut,
        "validation_fraction",
        description=N_(
            "Share of the training rows set aside to pick the best checkpoint and to stop early. They are not the "
            "held-out rows, so that the final measure stays honest. auto takes what the size of the data allows."
        ),
    )
    data: str | None = vary_field(
        HeldOut,
        "data",
        description=N_(
            "A file used only for measuring; empty (null) holds out a part of the training data. Columns mapped for "
            "the training data count here too where they are there."
        ),
        examples=["test.jsonl"],
    )


class LlmData(Rows):
    """Training and evaluation data of a language model."""

    train: Train = vary_field(
        Rows,
        "train",
        description=N_(
            "A file (json, jsonl, csv, tsv, parquet, xlsx, txt, also .gz) with instructions and answers, "
            "conversations, texts, pairs of answers, or texts with a label; a dataset of a hub (hf:OWNER/NAME, "
            "modelscope:OWNER/NAME), or sample:NAME for data that comes with Tunewiz. Several are listed: [a.jsonl, "
            "{path: b.csv, columns: ..., weight: 0.3}]; rows to measure on are held out of all of them before a "
            "weight draws from what is left."
        ),
        examples=["alpaca.json", "chats.jsonl", "tickets.csv"],
        typical=N_("500 to 50,000 rows; a thousand good ones beat many bad ones."),
    )
    format: str = vary_field(Rows, "format", examples=["auto", "alpaca", "sharegpt", "messages", "classification"])
    columns: dict[str, str] = vary_field(Rows, "columns", examples=[{"prompt": "问题", "response": "答案"}])
    split: str = Field(
        "auto",
        min_length=1,
        title=N_("Training split"),
        description=N_("Which split of a folder or of a dataset of a hub to train on; auto takes train."),
        examples=["auto", "train"],
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
            "How a text and its possible labels become an instruction; {text} and {labels} stand for them. Empty "
            "(null) takes a plain one in the language of the data."
        ),
        examples=["Which of {labels} is this about?\n\n{text}"],
    )
    labels: list[str] | None = Field(
        None,
        title=N_("Labels"),
        description=N_("The labels of a classification; empty (null) takes those that occur in the data."),
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
