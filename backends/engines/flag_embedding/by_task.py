"""The engine on FlagEmbedding for either task: embedding models and rerankers, light until they train.

What is checked and shown without importing the library; all stages but training are those of every such engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from tunewiz.backends import readiness
from tunewiz.backends.engines.flag_embedding.flag_models import POOLING
from tunewiz.backends.runs.events import Evaluated, Saved
from tunewiz.backends.runs.run import Run
from tunewiz.backends.stages.retrieval import (
    RerankingBackend,
    RetrievalBackend,
    When,
    export_with,
    measure_options,
    wanted_of,
)
from tunewiz.backends.training.arguments import trainer_sections
from tunewiz.data.retrieval.prepared import Prepared, load
from tunewiz.presets.families import instructions, lookup
from tunewiz.presets.losses.info_nce import MOST, Grouped, M3Unified
from tunewiz.presets.losses.reranker.listwise import GroupSoftmax
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.presets.tasks.embedding import EmbeddingPreset
from tunewiz.presets.tasks.reranker import RerankerPreset
from tunewiz.problems import BadPreset, Problem, Where, say, warning

#: Beside those of sentence-transformers, which searches and exports.
PACKAGES: Final = ("FlagEmbedding",)

# Embedding models trained with FlagEmbedding.


class FlagEmbedder(RetrievalBackend):
    """Trains with FlagEmbedding's models and trainer; everything else is :class:`RetrievalBackend`'s."""

    name = "flag_embedder"
    packages = PACKAGES

    def problems(self, preset: EmbeddingPreset) -> list[Problem]:
        """Packages, models, negatives strategy, memory, and what the library cannot do."""
        return [*readiness.problems(preset, self.packages), *group_warnings(preset)]

    def native(self, preset: EmbeddingPreset) -> str:
        """The library's arguments as YAML."""
        return embedder_yaml(preset)

    def check(self, preset: EmbeddingPreset, prepared: Prepared) -> None:
        """Raise :class:`BadPreset` where the rows cannot make the loss's groups, before anything is measured."""
        from tunewiz.backends.engines.flag_embedding import group_rows
        from tunewiz.backends.training import loss_rows
        from tunewiz.backends.training.loss_rows import available

        mined_by = preset.data.negatives.strategy
        found = loss_rows.loss_problems(preset.loss, available(prepared), mined_by=mined_by)
        if not found and isinstance(preset.loss, Grouped):
            found = group_rows.group_problems(preset.loss, prepared)
        if found:
            raise BadPreset(*found)

    def train(self, run: Run, preset: EmbeddingPreset) -> None:
        """Train from the newest checkpoint, or the untouched model, into ``run.checkpoints / "tuned"``."""
        from tunewiz.backends.engines.flag_embedding.flag_training import FlagTraining

        tuned = FlagTraining(run, preset, load(run.data), self.base(run, preset)).start()
        run.emit(Saved(what="adapter" if preset.method.type == "lora" else "model", path=run.relative(tuned)))

    def _measure(self, run: Run, preset: EmbeddingPreset, path: Path, when: When) -> None:
        """As of every retrieval backend; the other ways of a model with M3's heads too."""
        from tunewiz.backends.engines.flag_embedding.flag_models import flag_model, has_heads
        from tunewiz.backends.engines.flag_embedding.m3_search import measure_ways
        from tunewiz.backends.evaluate.full_search import Retrieval
        from tunewiz.backends.models.adapters import merge_adapter
        from tunewiz.backends.models.loading import load_encoder
        from tunewiz.backends.reports.side_by_side import file_of_way

        super()._measure(run, preset, path, when)
        loss = preset.loss
        if not isinstance(loss, M3Unified) or not has_heads(path):
            return
        collection = load(run.data).evaluation
        if not collection.qrels:
            return
        options = measure_options(run, preset, "baseline" if when == "before" else "evaluate")
        encoder = merge_adapter(load_encoder(path, preset, options.device))
        model = flag_model(encoder, loss, path, run.notice)
        for way, measured in measure_ways(model, collection, wanted_of(preset), options).items():
            Retrieval().save(measured, run.report / file_of_way(way, when))
            run.emit(Evaluated(when=when, what=way, metrics=measured.metrics, seconds=measured.seconds))

    def export(self, run: Run, preset: EmbeddingPreset) -> None:
        """As of every retrieval backend; BGE-M3's heads go beside the model, where FlagEmbedding looks for them."""
        from tunewiz.backends.engines.flag_embedding.flag_models import COLBERT, SPARSE

        heads = [self.tuned(run) / name for name in (COLBERT, SPARSE)]
        export_with("sentence_transformers", run, preset, self.tuned(run), [path for path in heads if path.is_file()])


# Rerankers trained with FlagEmbedding.


class FlagReranker(RerankingBackend):
    """Trains with FlagEmbedding's model and trainer; everything else is :class:`RerankingBackend`'s."""

    name = "flag_reranker"
    packages = PACKAGES

    def problems(self, preset: RerankerPreset) -> list[Problem]:
        """Packages, models, negatives strategy, memory, and what the groups ask for."""
        return [*readiness.problems(preset, self.packages), *group_warnings(preset)]

    def native(self, preset: RerankerPreset) -> str:
        """The library's arguments as YAML."""
        return reranker_yaml(preset)

    def check(self, preset: RerankerPreset, prepared: Prepared) -> None:
        """Raise :class:`BadPreset` where the rows cannot make the loss's groups, before anything is measured."""
        from tunewiz.backends.engines.flag_embedding import group_rows
        from tunewiz.backends.engines.flag_embedding.flag_training import in_groups

        super().check(preset, prepared)
        if isinstance(preset.loss, GroupSoftmax):
            found = group_rows.group_problems(preset.loss, in_groups(prepared))
            if found:
                raise BadPreset(*found)

    def train(self, run: Run, preset: RerankerPreset) -> None:
        """Train from the newest checkpoint, or the untouched model, into ``run.checkpoints / "tuned"``."""
        from tunewiz.backends.engines.flag_embedding.flag_training import FlagReranking

        tuned = FlagReranking(run, preset, load(run.data), self.base(run, preset)).start()
        run.emit(Saved(what="adapter" if preset.method.type == "lora" else "model", path=run.relative(tuned)))


# A preset as the arguments FlagEmbedding is called with, for people who know the library.


def embedder_yaml(preset: EmbeddingPreset) -> str:
    """YAML text: model, data and training arguments under the names of ``python -m FlagEmbedding.finetune...``."""
    query, passage = instructions(preset.model)
    loss, length = preset.loss, preset.training.max_length
    shared = trainer_sections(preset)
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


def reranker_yaml(preset: RerankerPreset) -> str:
    """As :func:`native`, for ``FlagEmbedding.finetune.reranker``."""
    shared, loss = trainer_sections(preset), preset.loss
    group = _group(loss) if isinstance(loss, GroupSoftmax) else {}
    lines = {"train_data": "data/flag_embedding.jsonl", "max_len": preset.training.max_length}
    return _yaml({"ModelArguments": {"model_name_or_path": preset.model.id}, "DataArguments": lines | group, **shared})


def _group(loss: Grouped | GroupSoftmax) -> dict[str, Any]:
    size = f"negatives of most queries + 1, at most {MOST}" if loss.group_size == "auto" else loss.group_size
    return {"train_group_size": size, "knowledge_distillation": loss.distillation != "none"}


def _yaml(sections: dict[str, Any]) -> str:
    text: str = yaml.safe_dump(sections, sort_keys=False, allow_unicode=True, width=120)
    return text


# What the groups ask for.


def group_warnings(preset: RetrievalPreset) -> Iterator[Problem]:
    """More negatives wanted than are mined; what the data itself brings is known when the run has read it."""
    loss, mined = preset.loss, preset.data.negatives
    if not isinstance(loss, (Grouped, GroupSoftmax)) or mined.strategy == "none":
        return
    if loss.group_size != "auto" and loss.group_size > mined.per_query + 1:
        message = say(
            "A group of {size} needs {wanted} negatives a query; {count} are mined.",
            size=loss.group_size,
            wanted=loss.group_size - 1,
            count=mined.per_query,
        )
        fix = say("Set data.negatives.per_query to {wanted}, or loss.group_size to auto.", wanted=loss.group_size - 1)
        yield warning("group-above-mined", message, Where(key="loss.group_size"), fix)
    if loss.distillation != "none":
        message = say("Mined negatives have no teacher's score; rows with them are left out when distilling.")
        fix = say("Set data.negatives.strategy to none, or loss.distillation to none.")
        yield warning("mined-untaught", message, Where(key="data.negatives.strategy"), fix)
