"""The training of a cross-encoder: pairs, lists or groups; batches of similar length; early stopping on the ranking."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from backends.batching import Computing
from backends.cross_encoder import rows, validation
from backends.cross_encoder.losses import built
from backends.evaluators.metrics import canonical
from backends.pair_scoring import pair_features
from backends.rerankers import load_reranker, set_activation
from backends.sentence_transformers.base_training import LibraryTraining, Parts
from data.examples import Collection
from data.problems import Problem
from presets.tasks.reranker import RerankerPreset


@dataclass(frozen=True)
class RerankerTraining(LibraryTraining[RerankerPreset]):
    """By ``CrossEncoderTrainer``."""

    output: ClassVar[str] = "scores"

    def problems(self) -> list[Problem]:
        """See :mod:`backends.cross_encoder.rows`."""
        return rows.problems(self.preset.loss, self.prepared)

    def model(self) -> Any:
        """The reranker, which predicts the way the loss trains it."""
        model = load_reranker(self.folder, self.preset, self.device)
        set_activation(model, self.preset.loss)
        return self.with_adapter(model)

    def kinds(self) -> tuple[Any, Any]:
        """Trainer and arguments."""
        from sentence_transformers.cross_encoder.trainer import CrossEncoderTrainer
        from sentence_transformers.cross_encoder.training_args import CrossEncoderTrainingArguments

        return CrossEncoderTrainer, CrossEncoderTrainingArguments

    def parts(self, model: Any) -> Parts:
        """Rows for the loss; the library tokenizes each batch."""
        made = rows.examples(self.preset.loss, self.prepared, self.preset.training.seed)
        for problem in made.notes:
            self.run.notice(problem)
        plan = self._plan(made.rows(_lengths(model, made)), self.preset.loss.in_batch_negatives)
        return Parts(plan, made.columns, None, {}, built(self.preset.loss, model, made.pos_weight))

    def _metric(self) -> str | None:
        return canonical(self.preset.evaluation.metric) if self._collection.qrels else None

    @cached_property
    def _collection(self) -> Collection:
        if not self.prepared.validation:
            return Collection()
        return validation.collection_of(self.prepared, self.preset.training.seed)

    def _evaluator(self) -> Any:
        how = Computing(precision="bf16" if self.precision == "bf16" else "fp32")
        depth, seed = self.preset.candidates.depth, self.preset.training.seed
        return validation.evaluator(self._collection, depth, self.preset.evaluation.metric, how, lambda: None, seed)


def _lengths(model: Any, made: rows.Examples) -> list[int]:
    """Tokens that the model reads for each row; characters where its tokenizer does not take pairs."""
    flat = [pair for pairs in made.pairs for pair in pairs]
    if callable(getattr(model, "tokenizer", None)) and len(model) == 1:
        costs = iter([len(one["input_ids"]) for one in pair_features(model, flat)])
    else:
        costs = iter([len(query) + len(document) for query, document in flat])
    return [sum(next(costs) for _ in pairs) for pairs in made.pairs]
