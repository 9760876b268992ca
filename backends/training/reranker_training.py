"""The training of a cross-encoder by ``CrossEncoderTrainer``.

Pairs, lists or groups; batches of similar length; early stopping on the ranking; and the losses over groups that the
library lacks.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, ClassVar

from tunewiz.backends.evaluate.metrics import canonical
from tunewiz.backends.models.batching import EncodeOptions
from tunewiz.backends.models.loading import has_head, load_reranker, set_activation
from tunewiz.backends.models.reranking import pair_features
from tunewiz.backends.training import reranker_rows, validation
from tunewiz.backends.training.library_training import LibraryTraining, Parts
from tunewiz.backends.training.loss_rows import Own
from tunewiz.backends.training.trainer import CPU_PIECE, in_pieces
from tunewiz.data.rows.examples import Collection
from tunewiz.presets.losses.loss import RerankerLoss
from tunewiz.presets.losses.reranker.pointwise import BinaryCrossEntropy
from tunewiz.presets.tasks.reranker import RerankerPreset
from tunewiz.problems import Problem


@dataclass(frozen=True)
class RerankerTraining(LibraryTraining[RerankerPreset]):
    """By ``CrossEncoderTrainer``."""

    output: ClassVar[str] = "scores"

    def problems(self) -> list[Problem]:
        """See :mod:`tunewiz.backends.training.reranker_rows`."""
        mined_by = self.preset.data.negatives.strategy
        return reranker_rows.reranker_loss_problems(self.preset.loss, self.prepared, mined_by)

    def loaded(self) -> Any:
        """The reranker, which predicts the way the loss trains it."""
        model = load_reranker(self.folder, self.preset, self.device)
        set_activation(model, self.preset.loss)
        return model

    def _knew(self) -> bool:
        return has_head(self.folder)

    def _pieces(self, model: Any) -> AbstractContextManager[None]:
        """Once more in the backward pass where the loss says so; one that caches gradients itself does it alone."""
        size = 0 if self.preset.loss.caches_gradients else self.preset.loss.encoded_at_once
        if not size:
            return super()._pieces(model)
        return in_pieces(model, min(size, CPU_PIECE) if self.device == "cpu" else size, self.output, again=True)

    def kinds(self) -> tuple[Any, Any]:
        """Trainer and arguments."""
        from sentence_transformers.cross_encoder.trainer import CrossEncoderTrainer
        from sentence_transformers.cross_encoder.training_args import CrossEncoderTrainingArguments

        return CrossEncoderTrainer, CrossEncoderTrainingArguments

    def parts(self, model: Any) -> Parts:
        """Rows for the loss; the library tokenizes each batch."""
        made = reranker_rows.examples(self.preset.loss, self.prepared, self.preset.training.seed, Own.of(self.preset))
        for problem in made.notes:
            self.run.notice(problem)
        plan = self._plan(made.rows(_lengths(model, made)), self.preset.loss.in_batch_negatives)
        return Parts(plan, made.columns, None, {}, built_reranker_loss(self.preset.loss, model, made.pos_weight))

    def _metric(self) -> str | None:
        return canonical(self.preset.evaluation.metric) if self._collection.qrels else None

    @cached_property
    def _collection(self) -> Collection:
        if not self.prepared.validation:
            return Collection()
        return validation.collection_of(self.prepared, self.preset.training.seed)

    def _evaluator(self) -> Any:
        options = EncodeOptions(precision="bf16" if self.precision == "bf16" else "fp32")
        depth, seed = self.preset.candidates.depth, self.preset.training.seed
        return validation.reranking_evaluator(
            self._collection, depth, self.preset.evaluation.metric, options, lambda: None, seed
        )


def _lengths(model: Any, made: reranker_rows.Examples) -> list[int]:
    """Tokens that the model reads for each row; characters where its tokenizer does not take pairs."""
    flat = [pair for pairs in made.pairs for pair in pairs]
    if callable(getattr(model, "tokenizer", None)) and len(model) == 1:
        costs = iter([len(one["input_ids"]) for one in pair_features(model, flat)])
    else:
        costs = iter([len(query) + len(document) for query, document in flat])
    return [sum(next(costs) for _ in pairs) for pairs in made.pairs]


# A preset's loss made into the library's, on a loaded cross-encoder.


class LossLibrary:
    """What ``build`` draws on: the library's losses, those it lacks, and torch's activations and tensors."""

    def __getattr__(self, name: str) -> Any:
        import torch
        from sentence_transformers.cross_encoder import losses

        own = {"PairwiseMarginLoss": pairwise_margin, "GroupCrossEntropyLoss": group_cross_entropy}
        if name in own:
            return own[name]()
        if name == "tensor":
            return torch.tensor
        return getattr(losses, name, None) or getattr(torch.nn, name)


def built_reranker_loss(loss: RerankerLoss, model: Any, pos_weight: float) -> Any:
    """The library's loss module; ``pos_weight`` is what the rows count where the preset says auto."""
    if isinstance(loss, BinaryCrossEntropy) and loss.pos_weight == "auto":
        loss = loss.model_copy(update={"pos_weight": pos_weight})
    module = loss.build(model, LossLibrary())
    weight = getattr(module, "pos_weight", None)
    if weight is not None:
        module.bce_with_logits_loss.to(model.device)
    return module


# Losses over a right document and its wrong ones that sentence-transformers lacks.
#
# The classes are made in functions because their base class lives in a heavy library.


@cache
def _group_loss() -> Any:
    import torch

    class GroupLoss(torch.nn.Module):  # type: ignore[misc]  # torch is untyped at our edge
        """Scores the right document of each query in the first row, its wrong ones in those below: (1 + n, queries)."""

        def __init__(self, model: Any) -> None:
            super().__init__()
            self.model = model

        def forward(self, inputs: list[list[str]], labels: Any = None, prompt: Any = None, task: Any = None) -> Any:
            queries, *documents = inputs
            pairs = [list(pair) for texts in documents for pair in zip(queries, texts, strict=True)]
            made = self.model.preprocess(pairs, prompt=prompt, task=task)
            features = {name: one.to(self.model.device) if hasattr(one, "to") else one for name, one in made.items()}
            return self.loss(self.model(features)["scores"].view(len(documents), len(queries)).float())

        def loss(self, scores: Any) -> Any:
            raise NotImplementedError

    return GroupLoss


@cache
def pairwise_margin() -> Any:
    """The hinge loss over the right document and each wrong one."""
    import torch

    class PairwiseMarginLoss(_group_loss()):  # type: ignore[misc]  # as above
        """``torch.nn.MarginRankingLoss`` on logits."""

        def __init__(self, model: Any, margin: float) -> None:
            super().__init__(model)
            self.hinge = torch.nn.MarginRankingLoss(margin)

        def loss(self, scores: Any) -> Any:
            above = scores[:1].expand(len(scores) - 1, -1)
            return self.hinge(above, scores[1:], torch.ones_like(above))

    return PairwiseMarginLoss


@cache
def group_cross_entropy() -> Any:
    """Cross-entropy of a softmax over the documents of a query, the right one being the class."""
    import torch

    class GroupCrossEntropyLoss(_group_loss()):  # type: ignore[misc]  # as above
        """``torch.nn.functional.cross_entropy`` on scaled logits."""

        def __init__(self, model: Any, scale: float) -> None:
            super().__init__(model)
            self.scale = scale

        def loss(self, scores: Any) -> Any:
            right = torch.zeros(scores.shape[1], dtype=torch.long, device=scores.device)
            return torch.nn.functional.cross_entropy(self.scale * scores.T, right)

    return GroupCrossEntropyLoss
