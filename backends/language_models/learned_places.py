"""Scores of the vocabulary only where a token is learned, while a language model is trained.

Of a question and its answer only the answer's tokens are learned. A model scores its whole vocabulary at each place
all the same, and with 262,144 words that is more than all its layers: the scores of a prompt are computed, kept and
thrown away. transformers' models take the places to score, and a loss over them, in one call; its Trainer asks for
neither. The loss and the gradients are the same numbers.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tunewiz.backends.language_models.encoded_rows import IGNORED


def learned_places(labels: Any) -> Any:
    """The places (of a batch's ``labels``: rows, tokens) whose next token is learned in any row."""
    return (labels[:, 1:] != IGNORED).any(dim=0).nonzero()[:, 0]


def is_narrow(inner: Any) -> bool:
    """Whether a causal language model scores the places that it is asked for."""
    return "logits_to_keep" in inspect.signature(type(inner).forward).parameters


@contextmanager
def scored_where_learned() -> Iterator[None]:
    """Let every Trainer in this block compute its loss from the scores that it needs, where the model can."""
    from transformers import Trainer

    whole = Trainer.compute_loss

    def compute_loss(trainer: Any, model: Any, inputs: Any, *given: Any, **options: Any) -> Any:
        inner = _scorer(trainer, model) if "labels" in inputs else None
        if inner is None:
            return whole(trainer, model, inputs, *given, **options)
        with _narrowed(inner):
            return whole(trainer, model, inputs, *given, **options)

    Trainer.compute_loss = compute_loss
    try:
        yield
    finally:
        Trainer.compute_loss = whole


def _scorer(trainer: Any, model: Any) -> Any:
    """The causal language model within ``model``; ``None`` where other scores than the learned ones are wanted."""
    from transformers.loss.loss_utils import ForCausalLMLoss

    if trainer.label_smoother is not None or trainer.compute_loss_func is not None or trainer.compute_metrics:
        return None
    inner = trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=True)
    inner = inner.get_base_model() if hasattr(inner, "get_base_model") else inner
    # Kernels that never hold scores have a forward of their own, and so have models that come with code.
    usual = type(inner).forward.__module__ == type(inner).__module__
    return inner if usual and is_narrow(inner) and getattr(inner, "loss_function", None) is ForCausalLMLoss else None


@contextmanager
def _narrowed(inner: Any) -> Iterator[None]:
    """Let ``inner`` score the places whose next token is learned in any row of a batch."""
    own = inner.__dict__.get("forward")  # accelerate may have put autocast around it
    forward = inner.forward

    def narrow(*given: Any, labels: Any = None, **options: Any) -> Any:
        if given or labels is None or labels.ndim != 2 or "logits_to_keep" in options or "shift_labels" in options:
            return forward(*given, labels=labels, **options)
        places = learned_places(labels)
        if not len(places):
            return forward(labels=labels, **options)
        kept = labels[:, places + 1]
        return forward(labels=kept, shift_labels=kept, logits_to_keep=places, **options)

    inner.forward = narrow
    try:
        yield
    finally:
        if own is None:
            del inner.forward
        else:
            inner.forward = own
