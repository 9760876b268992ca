"""The loss of each row: the mean negative log-likelihood of the tokens that training counts, in nats."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from backends.llama_factory.encoded import IGNORED, Tokens
from backends.llama_factory.loading import Loaded

#: Scores of the vocabulary held at once, in numbers of 4 bytes (1 GiB).
_SCORES: Final = 1 << 28


def row_losses(
    loaded: Loaded, rows: Sequence[Tokens], batch_size: int, told: Callable[[int, int], None]
) -> list[float]:
    """One loss a row, in the order of ``rows``; not a number for a row without counted tokens.

    Batches are made of rows of similar length and cut where their scores would take too much memory, which changes
    speed and never the result.
    """
    import torch

    found = [float("nan")] * len(rows)
    model = loaded.inner
    done = 0
    with torch.inference_mode():
        for batch in _batches(rows, batch_size, int(model.config.get_text_config().vocab_size)):
            for place, loss in zip(batch, _losses(loaded, [rows[place] for place in batch]), strict=True):
                found[place] = loss
            done += len(batch)
            told(done, len(rows))
    return found


def _batches(rows: Sequence[Tokens], most: int, vocabulary: int) -> Iterator[list[int]]:
    counted = [place for place in range(len(rows)) if rows[place].counted]
    batch: list[int] = []
    for place in sorted(counted, key=lambda place: len(rows[place].ids)):
        longest = len(rows[place].ids)
        if batch and (len(batch) == most or (len(batch) + 1) * longest * vocabulary > _SCORES):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _losses(loaded: Loaded, rows: Sequence[Tokens]) -> list[float]:
    import torch
    from torch.nn.functional import cross_entropy

    ids, mask, labels = _tensors(loaded, rows)
    # Only scores at places whose next token counts are computed, where the model can leave the others out.
    wanted = (labels[:, 1:] != IGNORED).any(dim=0).nonzero()[:, 0]
    # With virtual tokens before the text, places differ from those of the text.
    shifted = getattr(getattr(loaded.model, "active_peft_config", None), "is_prompt_learning", False)
    narrow = not shifted and "logits_to_keep" in inspect.signature(loaded.inner.forward).parameters
    options: dict[str, Any] = {"logits_to_keep": wanted} if narrow else {}
    scores = loaded.model(input_ids=ids, attention_mask=mask, use_cache=False, **options).logits
    scores = (scores if narrow else scores[:, -ids.shape[1] :][:, wanted]).float()
    next_ones = labels[:, wanted + 1]
    each = cross_entropy(scores.transpose(1, 2), next_ones, ignore_index=IGNORED, reduction="none")
    counts = (next_ones != IGNORED).sum(dim=1)
    return [float(value) for value in (each.sum(dim=1, dtype=torch.float64) / counts).tolist()]


def _tensors(loaded: Loaded, rows: Sequence[Tokens]) -> tuple[Any, Any, Any]:
    """Ids, mask and labels, padded on the right."""
    import torch

    longest, padding = max(len(row.ids) for row in rows), loaded.tokenizer.pad_token_id or 0
    ids = torch.tensor([[*row.ids, *[padding] * (longest - len(row.ids))] for row in rows])
    mask = torch.tensor([[1] * len(row.ids) + [0] * (longest - len(row.ids)) for row in rows])
    labels = torch.tensor([[*row.labels, *[IGNORED] * (longest - len(row.labels))] for row in rows])
    device = loaded.inner.device
    return ids.to(device), mask.to(device), labels.to(device)
