"""The training of an embedding model or a reranker by FlagEmbedding, as a program with its data."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tunewiz.backends.engines.flag_embedding.flag_models import flag_model
from tunewiz.backends.engines.flag_embedding.flag_training import (
    FlagReranking,
    FlagTraining,
    in_groups,
    sampling_of_pairs,
    sampling_of_texts,
)
from tunewiz.backends.engines.flag_embedding.group_rows import GroupRows, rows_in_groups
from tunewiz.backends.export.training.program import Block, Program, blocks_of
from tunewiz.backends.export.training.retrieval import (
    Plan,
    candidates_beside,
    encoder_loading,
    encoder_values,
    lora_of,
    not_dropped,
    planned,
    reranker_values,
    validation_beside,
)
from tunewiz.backends.export.training.run_facts import Silent, Trained
from tunewiz.backends.models.loading import load_encoder, load_reranker
from tunewiz.backends.runs.run import Run
from tunewiz.presets.losses.info_nce import Grouped, M3Unified
from tunewiz.presets.losses.reranker.listwise import GroupSoftmax
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.presets.tasks.embedding import EmbeddingPreset
from tunewiz.presets.tasks.reranker import RerankerPreset
from tunewiz.problems import BadPreset, error, say

_NAMES: Final = ("FlagEmbedding", "sentence-transformers", "transformers", "torch", "datasets", "accelerate")
ROWS: Final = say(
    "The rows as FlagEmbedding reads them: each step compares a query with one right passage and {wrong} wrong ones, "
    "drawn anew in every epoch."
)
LEARNER: Final = say(
    "FlagEmbedding's model, which computes the loss: {name}. Its weights are those of the model above."
)
MINI: Final = say("A few pairs at a time: less memory, the same gradients.")


def program_of(run: Run, preset: RetrievalPreset, folder: Path) -> Program:
    """The program that trains as ``run`` did; its data goes into ``folder / "data"``.

    Raises :class:`BadPreset` (``not-trained``; ``no-program`` for BGE-M3's own heads and rerankers that are language
    models) and ``BadData``.
    """
    trained: Trained[Any] = Trained(run, preset)
    trained.checked()
    data = folder / "data"
    plan, count = _embedding(trained, data) if isinstance(preset, EmbeddingPreset) else _reranker(trained, data)
    return planned(trained, plan, count, data, _NAMES)


def _refused(what: str) -> BadPreset:
    message = say("How FlagEmbedding trains {what} cannot be written as a script.", what=what)
    return BadPreset(error("no-program", message, fix=say("`tunewiz check` shows the library's arguments.")))


def _own(task: str) -> dict[str, str]:
    """The blocks of a task by the names that every program has, but for its trainer."""
    blocks = blocks_of("training_flag_embedding")
    found = {name: blocks[f"{name}_{task}"] for name in ("imports", "data", "before", "rows", "model")}
    kind = {"embedding": "AbsEmbedder", "reranker": "AbsReranker"}[task]
    trainer = blocks["trainer"].replace("TRAINING", f"{kind}Training").replace("TRAINER", f"{kind}Trainer")
    after = blocks_of("training_embedding")["after"]
    return found | {"batches": blocks["batches"], "trainer": trainer, "after": after, "mini": blocks["mini_batches"]}


def _through(own: dict[str, str], made: GroupRows, loss: Any, rewritten: str = "") -> tuple[Block, ...]:
    told = say(ROWS.template, wrong=made.size - 1)
    return Block(told, own["rows"]), Block(say(LEARNER.template, name=loss.name), rewritten or own["model"])


def _embedding(trained: Trained[Any], data: Path) -> tuple[Plan, int]:
    preset, loss = trained.preset, trained.preset.loss
    assert isinstance(preset, EmbeddingPreset) and isinstance(loss, Grouped)
    if isinstance(loss, M3Unified):
        raise _refused("BGE-M3")
    training = FlagTraining(Silent(trained.run.directory), preset, trained.prepared, trained.base)
    model = load_encoder(trained.base, preset)
    made = rows_in_groups(loss, trained.prepared, preset.training.seed)
    learner = flag_model(model, loss, trained.base, lambda _problem: None).model
    values = encoder_values(model, preset)
    made.write(data / "rows.jsonl", values["QUERY_PROMPT"], loss.distillation != "none")
    values |= {
        "GROUP": made.size,
        "DISTILLED": loss.distillation != "none",
        "COMPARES_BATCH": loss.compares_batch,
        "POOLED_BY": learner.sentence_pooling_method,
        "LOSS": loss.build(None, None),
    }
    own, kind = _own("embedding"), type(learner)
    source = f"from {kind.__module__} import {kind.__name__}\n\n" + own["model"].replace("EMBEDDER", kind.__name__)
    plan = Plan(
        own=own,
        values=values,
        columns={},
        batches=training._plan(sampling_of_texts(model, made), loss.compares_batch),
        metric=validation_beside(training, data),
        loss="",
        validation="validation_search",
        loading=encoder_loading(preset),
        measure=("search",),
        lora=lora_of(model, preset),
        not_dropped=not_dropped(model, preset),
        pieces=(0, 0),
        through=_through(own, made, loss, source),
    )
    return plan, len(made.groups)


def _reranker(trained: Trained[Any], data: Path) -> tuple[Plan, int]:
    preset, loss = trained.preset, trained.preset.loss
    assert isinstance(preset, RerankerPreset) and isinstance(loss, GroupSoftmax)
    training = FlagReranking(Silent(trained.run.directory), preset, trained.prepared, trained.base)
    model = load_reranker(trained.base, preset)
    if len(model) != 1 or "ForSequenceClassification" not in type(model[0].auto_model).__name__:
        raise _refused(type(model[0].auto_model).__name__)
    made = rows_in_groups(loss, in_groups(trained.prepared), preset.training.seed)
    made.write(data / "rows.jsonl", "", loss.distillation != "none")
    own = _own("reranker")
    values = reranker_values(trained, model) | {"GROUP": made.size, "DISTILLED": loss.distillation != "none"}
    mini = (Block(MINI, own["mini"]),) if loss.mini_batch_size else ()
    plan = Plan(
        own=own,
        values=values | ({"MINI_BATCH": loss.mini_batch_size} if loss.mini_batch_size else {}),
        columns={},
        batches=training._plan(sampling_of_pairs(model, made), False),
        metric=candidates_beside(training, data),
        loss="",
        validation="validation_rerank",
        loading=("load_reranker",),
        measure=("rerank",),
        lora=lora_of(model, preset),
        not_dropped=not_dropped(model, preset),
        pieces=(0, 0),
        through=(*_through(own, made, loss), *mini),
    )
    return plan, len(made.groups)
