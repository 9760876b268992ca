"""Which model is tuned and where it comes from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from tunewiz.language import N_
from tunewiz.presets.sections.section import Section, about, vary_field

#: Instructions end in a space or a newline that the model was trained with: they are kept as written.
Instruction = Annotated[str, StringConstraints(strip_whitespace=False)]

#: What models are tuned to be; families say which they can become, formats for which their rows are.
ModelKind = Literal["embedding", "reranker", "llm"]
Source = Literal["auto", "huggingface", "modelscope", "local", "starter"]


class Model(Section):
    """The model to fine-tune."""

    id: str = Field(
        title=N_("Model"),
        description=N_(
            "The model to start from: a hub id such as BAAI/bge-small-zh-v1.5, or the path of a folder that holds a "
            "model. `tunewiz models` lists those with known settings."
        ),
        min_length=1,
        examples=[
            "BAAI/bge-small-zh-v1.5",
            "BAAI/bge-m3",
            "/models/my-encoder",
            "all-MiniLM-L6-v2",
            "starter-multilingual",
        ],
        json_schema_extra=about(
            typical=N_(
                "Choose a model trained on your language; small ones (24-33 million parameters) fit any machine."
            ),
            larger=N_("A larger model usually finds more, and needs more memory and time."),
            smaller=N_("A smaller model trains and searches faster, and often gains the most from tuning."),
        ),
    )
    source: Source = Field(
        "auto",
        title=N_("Source"),
        description=N_("Where the weights come from."),
        json_schema_extra=about(
            choices={
                "auto": N_("a local path, then what is already downloaded, then the first hub that answers"),
                "huggingface": N_("huggingface.co, or the mirror named by HF_ENDPOINT"),
                "modelscope": N_("modelscope.cn, quick to reach from mainland China"),
                "local": N_("a folder on this machine"),
                "starter": N_(
                    "what installs with Tunewiz, no network needed: MiniLM (English) as starter, multilingual E5 as "
                    "starter-multilingual"
                ),
            },
        ),
    )
    revision: str = Field(
        "",
        title=N_("Revision"),
        description=N_("Branch, tag or commit of the hub repository; empty takes the newest version."),
        examples=["main", "5617a9f61b028005a4858fdac845db406aefb181"],
        json_schema_extra=about(typical=N_("Empty; a commit when the result must be repeatable years later.")),
    )
    trust_remote_code: bool = Field(
        False,
        title=N_("Trust remote code"),
        description=N_(
            "Run the Python code that the model's repository ships. It can do anything your account can: say true only "
            "for authors you trust."
        ),
        json_schema_extra=about(typical=N_("false. Some models do not load without it.")),
    )


class EncoderModel(Model):
    """A model that turns texts into vectors, and how it is asked to."""

    pooling: Literal["auto", "mean", "cls", "lasttoken"] = Field(
        "auto",
        title=N_("Pooling"),
        description=N_("How the vectors of all tokens become one vector for the text."),
        json_schema_extra=about(
            typical=N_("auto. Another pooling than the one a model was trained with costs quality."),
            choices={
                "auto": N_("what the model was trained with"),
                "mean": N_("the average of all tokens (MiniLM, E5, Jina)"),
                "cls": N_("the first token (BGE)"),
                "lasttoken": N_("the last token (Qwen3-Embedding and other decoders)"),
            },
        ),
    )
    query_instruction: Instruction | None = Field(
        None,
        title=N_("Query instruction"),
        description=N_(
            "Text put before each query, in training and in search. Empty (null) takes the one the model was trained "
            'with; "" puts nothing.'
        ),
        examples=["query: ", "为这个句子生成表示以用于检索相关文章："],
        json_schema_extra=about(typical=N_("empty (null). Use the same text later when you search, or scores fall.")),
    )
    passage_instruction: Instruction | None = Field(
        None,
        title=N_("Passage instruction"),
        description=N_(
            "Text put before each passage. Empty (null) takes the one the model was trained with, which for most "
            'models is nothing; "" puts nothing.'
        ),
        examples=["passage: "],
        json_schema_extra=about(typical=N_('empty (null); E5 models use "passage: ".')),
    )


class LlmModel(Model):
    """The language model to tune."""

    id: str = vary_field(
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
    source: Source = vary_field(
        Model, "source", choices={"starter": N_("Gemma 3 270M, which installs with Tunewiz: no network needed")}
    )
