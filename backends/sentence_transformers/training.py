"""The training of a bi-encoder: rows of texts tokenized once, batches without false negatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from backends.batching import Computing
from backends.loading import load_encoder, prompts
from backends.sentence_transformers import fit, rows, tokens, validation
from backends.sentence_transformers.base_training import LibraryTraining, Parts
from backends.sentence_transformers.losses import built
from data.problems import Problem
from presets.tasks.embedding import EmbeddingPreset


@dataclass(frozen=True)
class Training(LibraryTraining[EmbeddingPreset]):
    """By ``SentenceTransformerTrainer``."""

    output: ClassVar[str] = "sentence_embedding"

    def problems(self) -> list[Problem]:
        """See :mod:`backends.sentence_transformers.fit`."""
        return fit.problems(self.preset.loss, rows.available(self.prepared))

    def model(self) -> Any:
        """The encoder."""
        return self.with_adapter(load_encoder(self.folder, self.preset, self.device))

    def kinds(self) -> tuple[Any, Any]:
        """Trainer and arguments."""
        from sentence_transformers import SentenceTransformerTrainer
        from sentence_transformers.sentence_transformer.training_args import SentenceTransformerTrainingArguments

        return SentenceTransformerTrainer, SentenceTransformerTrainingArguments

    def parts(self, model: Any) -> Parts:
        """Rows of queries and passages."""
        table = rows.table(self.preset.loss, self.prepared, self.preset.training.seed)
        for problem in table.notes:
            self.run.notice(problem)
        data = _Batches.of(model, table)
        plan = self._plan(rows.sampling(table, data.lengths), self.preset.loss.core.in_batch_negatives)
        return Parts(plan, data.columns, data.collator, data.prompts, built(self.preset.loss, model))

    def _metric(self) -> str | None:
        """The primary metric, or a correlation for scored pairs."""
        return validation.metric_of(self.prepared, self.preset.evaluation.metric)

    def _evaluator(self) -> Any:
        """Searches with the model, on validation rows."""
        how = Computing(precision="bf16" if self.precision == "bf16" else "fp32")
        primary, seed = self.preset.evaluation.metric, self.preset.training.seed
        return validation.evaluator(self.prepared, primary, how, lambda: None, seed)


@dataclass(frozen=True)
class _Batches:
    """What the Trainer is given: columns of a dataset, how they become tensors, prompts it still has to apply."""

    columns: dict[str, list[Any]]
    lengths: Sequence[int]
    collator: Any
    prompts: dict[str, str]

    @classmethod
    def of(cls, model: Any, table: rows.Table) -> _Batches:
        """Tokenized once, or, for a model that takes more than token ids, texts for the library's own collator."""
        import numpy as np

        texts = prompts(model)
        try:
            made = tokens.columns(model, table, texts)
        except tokens.NotCacheable:
            labels = {"label": table.labels} if table.labels else {}
            named = {name: texts[0] if role == "query" else texts[1] for name, role in table.roles.items()}
            return cls({**table.columns, **labels}, (), None, {name: text for name, text in named.items() if text})
        lengths = np.sum([column.lengths() for column in made], axis=0)
        collator = tokens.Collator(made, table.labels, tokens.Padding.of(model.tokenizer))
        return cls({"row": list(range(len(table)))}, lengths.tolist(), collator, {})
