"""Which model is tuned and where it comes from."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from data.language import N_
from presets.sections.base import Section


class Model(Section):
    """The model to fine-tune."""

    id: str = Field(
        title=N_("Model"),
        description=N_("A hub id such as BAAI/bge-small-zh-v1.5, or the path of a local folder."),
        min_length=1,
    )
    source: Literal["auto", "huggingface", "modelscope", "local", "starter"] = Field(
        "auto", title=N_("Source"), description=N_("Where the weights come from; auto tries path, cache, then the hub.")
    )
    revision: str = Field("", title=N_("Revision"), description=N_("Branch, tag or commit of the hub repository."))
    trust_remote_code: bool = Field(
        False, title=N_("Trust remote code"), description=N_("Run Python code that the model's repository ships.")
    )
    pooling: Literal["auto", "mean", "cls", "lasttoken"] = Field(
        "auto", title=N_("Pooling"), description=N_("How token vectors become one; auto keeps the model's own.")
    )
    query_instruction: str | None = Field(
        None, title=N_("Query instruction"), description=N_("Text put before each query; null takes the family's own.")
    )
    passage_instruction: str | None = Field(
        None, title=N_("Passage instruction"), description=N_("Text put before each passage; null: the family's own.")
    )
