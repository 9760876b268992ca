"""Answers a model writes: greedy, so that the same model gives the same answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from backends.llama_factory.loading import Loaded


def answers(
    loaded: Loaded,
    prompts: Sequence[Sequence[int]],
    most: int,
    batch_size: int,
    told: Callable[[int, int], None],
) -> list[str]:
    """The answer to each prompt (token ids), at most ``most`` tokens, without what ends it."""
    import torch

    found = [""] * len(prompts)
    order = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
    tokenizer, device = loaded.tokenizer, loaded.inner.device
    padding = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        longest = max(len(prompts[place]) for place in batch)
        rows = [[padding] * (longest - len(prompts[place])) + list(prompts[place]) for place in batch]
        mask = [[0] * (longest - len(prompts[place])) + [1] * len(prompts[place]) for place in batch]
        with torch.inference_mode():
            written = loaded.model.generate(
                input_ids=torch.tensor(rows, device=device),
                attention_mask=torch.tensor(mask, device=device),
                max_new_tokens=most,
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                eos_token_id=loaded.stops,
                pad_token_id=padding,
            )
        texts = tokenizer.batch_decode(written[:, longest:], skip_special_tokens=True)
        for place, text in zip(batch, texts, strict=True):
            found[place] = text.strip()
        told(min(start + batch_size, len(order)), len(order))
    return found
