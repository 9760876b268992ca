"""A preset's loss made into the library's, on a loaded cross-encoder."""

from __future__ import annotations

from functools import cache
from typing import Any

from presets.losses.reranker.base import RerankerLoss
from presets.losses.reranker.binary_cross_entropy import BinaryCrossEntropy


class Library:
    """What ``build`` draws on: the library's losses, the pairwise one it lacks, and torch's activations and tensors."""

    def __getattr__(self, name: str) -> Any:
        import torch
        from sentence_transformers.cross_encoder import losses

        if name == "PairwiseMarginLoss":
            return _pairwise()
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


@cache
def _pairwise() -> Any:
    import torch

    class PairwiseMarginLoss(torch.nn.Module):  # type: ignore[misc]  # torch is untyped at our edge
        """The hinge loss over a right document and each of its wrong ones, on logits."""

        def __init__(self, model: Any, margin: float) -> None:
            super().__init__()
            self.model, self.margin = model, margin
            self.hinge = torch.nn.MarginRankingLoss(margin)

        def forward(self, inputs: list[list[str]], labels: Any = None, prompt: Any = None, task: Any = None) -> Any:
            queries, right, *wrong = inputs
            pairs = [list(pair) for texts in (right, *wrong) for pair in zip(queries, texts, strict=True)]
            features = self.model.preprocess(pairs, prompt=prompt, task=task)
            features = {
                name: value.to(self.model.device) if hasattr(value, "to") else value for name, value in features.items()
            }
            scores = self.model(features)["scores"].view(1 + len(wrong), len(queries)).float()
            above = scores[:1].expand(len(wrong), -1)
            return self.hinge(above, scores[1:], torch.ones_like(above))

        def get_config_dict(self) -> dict[str, Any]:
            """What the library writes about it."""
            return {"margin": self.margin}

    return PairwiseMarginLoss
