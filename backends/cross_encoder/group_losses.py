"""Losses over a right document and its wrong ones that sentence-transformers lacks.

The classes are made in functions because their base class lives in a heavy library.
"""

from __future__ import annotations

from functools import cache
from typing import Any


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
