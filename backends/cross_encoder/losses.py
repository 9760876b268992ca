"""A preset's loss made into the library's, on a loaded cross-encoder."""

from __future__ import annotations

from typing import Any

from backends.cross_encoder.group_losses import group_cross_entropy, pairwise_margin
from presets.losses.reranker.base import RerankerLoss
from presets.losses.reranker.binary_cross_entropy import BinaryCrossEntropy


class Library:
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


def built(loss: RerankerLoss, model: Any, pos_weight: float) -> Any:
    """The library's loss module; ``pos_weight`` is what the rows count where the preset says auto."""
    if isinstance(loss, BinaryCrossEntropy) and loss.pos_weight == "auto":
        loss = loss.model_copy(update={"pos_weight": pos_weight})
    module = loss.build(model, Library())
    weight = getattr(module, "pos_weight", None)
    if weight is not None:
        module.bce_with_logits_loss.to(model.device)
    return module
