"""A preset as the arguments FlagEmbedding is called with, for people who know the library."""

from __future__ import annotations

from typing import Any

import yaml

from backends.flag_embedding.models import POOLING
from backends.sentence_transformers.native import common
from presets.families import instructions, lookup
from presets.losses.info_nce import MOST, Grouped
from presets.losses.reranker.group_softmax import GroupSoftmax
from presets.tasks.embedding import EmbeddingPreset
from presets.tasks.reranker import RerankerPreset


def native(preset: EmbeddingPreset) -> str:
    """YAML text: model, data and training arguments under the names of ``python -m FlagEmbedding.finetune...``."""
    query, passage = instructions(preset.model)
    loss, length = preset.loss, preset.training.max_length
    shared = common(preset)
    training = shared.pop("TrainingArguments") | {"normalize_embeddings": True, "negatives_cross_device": False}
    known = lookup(preset.model.id)
    mode = preset.model.pooling if preset.model.pooling != "auto" else known.family.pooling if known else ""
    pooling = {"sentence_pooling_method": POOLING[mode]} if mode in POOLING else {}
    sections: dict[str, Any] = {
        "ModelArguments": {"model_name_or_path": preset.model.id},
        "DataArguments": {
            "train_data": "data/flag_embedding.jsonl",
            "query_max_len": length,
            "passage_max_len": length,
            "query_instruction_for_retrieval": query,
            "passage_instruction_for_retrieval": passage,
        },
        "TrainingArguments": training | pooling,
        **shared,
    }
    if isinstance(loss, Grouped):
        sections["DataArguments"] |= _group(loss)
        sections["TrainingArguments"] |= loss.build(None, None)
        sections["collator"] = {"no_in_batch_neg_flag": not loss.compares_batch}
    return _yaml(sections)


def reranker(preset: RerankerPreset) -> str:
    """As :func:`native`, for ``FlagEmbedding.finetune.reranker``."""
    shared, loss = common(preset), preset.loss
    group = _group(loss) if isinstance(loss, GroupSoftmax) else {}
    lines = {"train_data": "data/flag_embedding.jsonl", "max_len": preset.training.max_length}
    return _yaml({"ModelArguments": {"model_name_or_path": preset.model.id}, "DataArguments": lines | group, **shared})


def _group(loss: Grouped | GroupSoftmax) -> dict[str, Any]:
    size = f"negatives of most queries + 1, at most {MOST}" if loss.group_size == "auto" else loss.group_size
    return {"train_group_size": size, "knowledge_distillation": loss.distillation != "none"}


def _yaml(sections: dict[str, Any]) -> str:
    text: str = yaml.safe_dump(sections, sort_keys=False, allow_unicode=True, width=120)
    return text
