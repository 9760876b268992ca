"""Forward passes in pieces of similar length, within one batch.

A batch of 64 texts padded to the longest of them is mostly padding on real data. On a CPU, where a small matrix is
multiplied as fast as a large one, the same batch in pieces sorted by length computes the same vectors with far less
padding; which texts share a batch, and thus what is learned, does not change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

#: Texts a piece on a CPU.
CPU_PIECE: Final = 16


@contextmanager
def in_pieces(model: Any, size: int, output: str = "sentence_embedding") -> Iterator[None]:
    """Let ``model.forward`` go through its texts ``size`` at a time; 0 leaves it alone.

    ``output`` is what the model adds to its features: ``sentence_embedding``, or a cross-encoder's ``scores``.
    """
    if not size:
        yield
        return
    whole = model.forward

    def forward(features: dict[str, Any], **options: Any) -> dict[str, Any]:
        mask = features.get("attention_mask")
        if mask is None or mask.ndim != 2 or len(mask) <= size:
            result: dict[str, Any] = whole(features, **options)
            return result
        features[output] = _by_length(lambda piece: whole(piece, **options)[output], features, mask, size)
        return features

    model.forward = forward
    try:
        yield
    finally:
        model.__dict__.pop("forward", None)


def _by_length(compute: Callable[[dict[str, Any]], Any], features: dict[str, Any], mask: Any, size: int) -> Any:
    import torch

    lengths = mask.sum(dim=1)
    order = torch.argsort(lengths, stable=True)
    vectors = []
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        vectors.append(compute(_piece(features, mask, rows, int(lengths[rows].max()))))
    return torch.cat(vectors)[torch.argsort(order)]


def _piece(features: dict[str, Any], mask: Any, rows: Any, width: int) -> dict[str, Any]:
    """The given rows of every feature with one number a token, cut to ``width`` tokens on the padded side."""
    import torch

    left = bool(mask.shape[1] > width and not mask[rows, 0].any())
    kept = slice(mask.shape[1] - width, None) if left else slice(width)
    return {
        name: value[rows][:, kept] if isinstance(value, torch.Tensor) and value.shape == mask.shape else value
        for name, value in features.items()
    }
