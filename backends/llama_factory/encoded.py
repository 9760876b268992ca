"""Rows as token ids with labels, made by LLaMA-Factory's own processors: exactly what training sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from backends.llama_factory.loading import Loaded
from backends.llama_factory.rows import asked, example
from data.conversations import Conversation, Stage

IGNORED: Final = -100


@dataclass(frozen=True)
class Tokens:
    """Token ids and labels (:data:`IGNORED` where the loss does not count), equally long."""

    ids: Sequence[int]
    labels: Sequence[int]

    @property
    def counted(self) -> int:
        """Tokens that the loss counts: the first of a sequence is never predicted."""
        return sum(label != IGNORED for label in self.labels[1:])


def encoded(loaded: Loaded, row: Conversation) -> dict[str, Tokens]:
    """``answer`` of a row; ``chosen`` and ``rejected`` of a pair."""
    found = _processor(loaded, row.stage).preprocess_dataset(example(row))
    if row.stage == "preference":
        sides = ("chosen", "rejected")
        return {side: Tokens(found[f"{side}_input_ids"][0], found[f"{side}_labels"][0]) for side in sides}
    ids = found["input_ids"][0]
    return {"answer": Tokens(ids, ids if row.stage == "pretrain" else found["labels"][0])}


def _processor(loaded: Loaded, stage: Stage) -> Any:
    from llamafactory.data import processor

    kinds = {
        "sft": processor.SupervisedDatasetProcessor,
        "pretrain": processor.PretrainDatasetProcessor,
        "preference": processor.PairwiseDatasetProcessor,
        "kto": processor.FeedbackDatasetProcessor,
    }
    loaded.data.packing = False
    return kinds[stage](
        template=loaded.template, tokenizer=loaded.tokenizer, processor=None, data_args=loaded.data
    )  # fmt: skip


def prompt_ids(loaded: Loaded, turns: Sequence[dict[str, str]], system: str = "", tools: str = "") -> list[int]:
    """The tokens of a conversation up to where the assistant answers; ``turns`` end with the user or a tool."""
    messages = [*turns, {"role": "assistant", "content": ""}]
    ids, _ = loaded.template.encode_oneturn(loaded.tokenizer, messages, system or None, tools or None)
    return list(ids)


def row_prompt(loaded: Loaded, row: Conversation) -> list[int]:
    """The tokens that ask for the last answer of ``row``."""
    return prompt_ids(loaded, asked(row), row.system, row.tools)
