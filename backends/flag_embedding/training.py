"""One training with FlagEmbedding: from prepared groups and a loaded model to a tuned model."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from backends.encoding import token_ids
from backends.flag_embedding import models
from backends.flag_embedding.rows import GroupRows, rows
from backends.flag_embedding.runner import Parts, trainer
from backends.loading import prompts
from backends.sentence_transformers.training import Training
from presets.losses.info_nce import Grouped

#: The lines the library reads, below ``run.data``.
LINES: Final = "flag_embedding.jsonl"
#: Where it keeps what it read, below ``run.checkpoints``, while it trains.
READ: Final = "rows"


@dataclass(frozen=True)
class FlagTraining(Training):
    """As :class:`Training`, with FlagEmbedding's trainer and models."""

    def _trainer(self, model: Any) -> Any:
        loss, training = self.preset.loss, self.preset.training
        assert isinstance(loss, Grouped)  # checked with the preset
        made = rows(loss, self.prepared, training.seed)
        tuned = models.tuned(model, loss, self.folder, self.run.notice)
        for problem in made.notes:
            self.run.notice(problem)
        plan = self._plan(made.sampling(_lengths(model, made)), loss.compares_batch)
        length, metric = self._extent(plan)
        parts = Parts(
            tuned=tuned,
            plan=plan,
            seed=training.seed,
            measure=self._measure() if metric else None,
            callbacks=self._callbacks(length, metric),
            bases=_bases(),
            inputs={"no_in_batch_neg_flag": not loss.compares_batch},
        )
        if training.gradient_checkpointing:
            tuned.model.enable_input_require_grads()
        arguments = self._arguments(_arguments_class(), length, metric)
        return trainer(parts, _model_arguments(self.folder), self._data(model, made, loss), arguments)

    def _save(self, running: Any, model: Any) -> Path:
        folder = super()._save(running, model)
        running.parts.tuned.save_heads(folder)
        shutil.rmtree(self.run.checkpoints / READ, ignore_errors=True)
        return folder

    def _measure(self) -> Callable[[Any], dict[str, float]]:
        measure: Callable[[Any], dict[str, float]] = self._evaluator()
        return measure

    def _data(self, model: Any, made: GroupRows, loss: Grouped) -> Any:
        """Where the lines are, and how they become tensors."""
        from FlagEmbedding.abc.finetune.embedder import AbsEmbedderDataArguments

        query, passage = prompts(model)
        distilled = loss.distillation != "none"
        path = made.write(self.run.data / LINES, query, distilled)
        return AbsEmbedderDataArguments(
            train_data=[str(path)],
            cache_path=str(self.run.checkpoints / READ),
            train_group_size=made.size,
            query_max_len=model.max_seq_length,
            passage_max_len=model.max_seq_length,
            query_instruction_for_retrieval=query,
            passage_instruction_for_retrieval=passage,
            knowledge_distillation=distilled,
        )


def _lengths(model: Any, made: GroupRows) -> Sequence[int]:
    """About how many tokens a row costs: its query, its first answer, its first negatives."""
    query, passage = prompts(model)
    asked = [len(ids) for ids in token_ids(model, [group.query for group in made.groups], query)]
    texts = [(group.positives[0], *group.negatives[: made.size - 1]) for group in made.groups]
    flat = iter(token_ids(model, [text for row in texts for text in row], passage))
    return [cost + sum(len(next(flat)) for _ in row) for cost, row in zip(asked, texts, strict=True)]


def _bases() -> tuple[Any, Any, Any]:
    """The library's classes of runner, dataset and trainer."""
    from FlagEmbedding.abc.finetune.embedder import AbsEmbedderRunner, AbsEmbedderTrainDataset, AbsEmbedderTrainer

    return AbsEmbedderRunner, AbsEmbedderTrainDataset, AbsEmbedderTrainer


def _arguments_class() -> Any:
    from FlagEmbedding.abc.finetune.embedder import AbsEmbedderTrainingArguments

    return AbsEmbedderTrainingArguments


def _model_arguments(folder: Path) -> Any:
    from FlagEmbedding.abc.finetune.embedder import AbsEmbedderModelArguments

    # By default it takes the token of the hub from the environment and writes it into the log.
    return AbsEmbedderModelArguments(model_name_or_path=str(folder), token=None)
