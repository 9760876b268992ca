"""Cosines of a batch's queries with right and wrong passages while an embedding model trains: shown beside the loss.

They are computed from vectors that the loss has computed anyway, and only in steps that are logged: one small matrix
product, and no forward pass of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

#: What is told of a batch, by name, in the order in which it is shown.
NAMES: Final = ("positive_cosine", "negative_cosine", "margin")


def of_groups(queries: Any, passages: Any) -> dict[str, float]:
    """``queries`` (n, d) and ``passages`` (n · g, d), of which each g-th answers its query; tensors.

    ``positive_cosine`` is the mean over the right passages, ``negative_cosine`` that over the wrong passage of the
    batch that comes nearest to each query, ``margin`` their difference. Without wrong passages only the first is known.
    """
    import torch

    count = len(queries)
    group = len(passages) // max(1, count)
    if not count or group * count != len(passages):
        return {}
    first, second = (torch.nn.functional.normalize(one.detach().float(), dim=1) for one in (queries, passages))
    cosines = first @ second.T
    places = torch.arange(count, device=cosines.device)
    right = cosines[places, places * group].mean().item()
    if len(passages) < 2:
        return {"positive_cosine": right}
    cosines[places, places * group] = -2.0  # below any cosine
    nearest = cosines.max(dim=1).values.mean().item()
    return {"positive_cosine": right, "negative_cosine": nearest, "margin": right - nearest}


def of_labelled(first: Any, second: Any, labels: Any) -> dict[str, float]:
    """Pairs of texts with a score (n,): those in the upper half of the scale count as right, the others as wrong."""
    import torch

    if len(first) != len(second) or labels.numel() != len(first):
        return {}
    cosines = torch.nn.functional.cosine_similarity(first.detach().float(), second.detach().float())
    alike = labels.reshape(-1) > 0.5
    sides = (("positive_cosine", alike), ("negative_cosine", ~alike))
    found = {name: cosines[rows].mean().item() for name, rows in sides if bool(rows.any())}
    return found | ({"margin": found["positive_cosine"] - found["negative_cosine"]} if len(found) == 2 else {})


def of_columns(vectors: list[Any], rows: int, columns: int, labels: Any = None) -> dict[str, float]:
    """The same from what an encoder gave, call by call: column after column, ``rows`` texts each, in pieces or whole.

    A loss that goes through its texts again (for gradients, for other dimensions) does so behind that.
    """
    import torch

    if columns < 2 or not vectors or sum(map(len, vectors)) < rows * columns:
        return {}
    kept, held = [], 0
    for piece in vectors:
        kept.append(piece)
        held += len(piece)
        if held >= rows * columns:
            break
    try:
        whole = torch.cat(kept)[: rows * columns].reshape(columns, rows, -1)
    except RuntimeError:  # of different widths: no vectors of one space
        return {}
    if labels is not None and labels.ndim < 2:  # scores of each passage say nothing else than their columns do
        return of_labelled(whole[0], whole[1], labels) if columns == 2 else {}
    return of_groups(whole[0], whole[1:].transpose(0, 1).reshape((columns - 1) * rows, -1))


def is_logged(state: Any, args: Any) -> bool:
    """Whether the step at hand is one that the Trainer logs."""
    step, every = state.global_step + 1, max(1, int(args.logging_steps))
    return step % every == 0 or (step == 1 and bool(args.logging_first_step))


@contextmanager
def watched(model: Any, output: str) -> Iterator[list[Any]]:
    """Collect what ``model`` adds to its features under ``output``, call by call."""
    found: list[Any] = []

    def keep(_module: Any, _inputs: Any, features: Any) -> None:
        vectors = features.get(output) if hasattr(features, "get") else None
        if vectors is not None and vectors.ndim == 2:
            found.append(vectors.detach())

    handle = model.register_forward_hook(keep)
    try:
        yield found
    finally:
        handle.remove()
