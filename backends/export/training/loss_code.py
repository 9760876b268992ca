"""A preset's loss as the expression that a program makes it with."""

from __future__ import annotations

from typing import Any

from tunewiz.presets.losses.loss import Loss
from tunewiz.presets.losses.matryoshka import Matryoshka


class _Source:
    """Stands for a name of the program: what is asked of it, and what it is called with, becomes text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text

    def __getattr__(self, name: str) -> _Source:
        return _Source(f"{self._text}.{name}")

    def __call__(self, *values: Any, **named: Any) -> _Source:
        given = [*map(repr, values), *(f"{key}={value!r}" for key, value in named.items())]
        return _Source(f"{self._text}({', '.join(given)})")


class _Losses(_Source):
    """The module of losses; what the library lacks stands in the program, activations and tensors in torch."""

    def __getattr__(self, name: str) -> _Source:
        if name in ("PairwiseMarginLoss", "GroupCrossEntropyLoss"):
            return _Source(name)
        if name in ("tensor", "Sigmoid", "Identity"):
            return _Source(f"torch.{name}" if name == "tensor" else f"torch.nn.{name}")
        return _Source(f"losses.{name}")


class _Model:
    """Stands for the model, and, made of a path, for a guide."""

    device = "cpu"

    def __init__(self, path: str = "", **_: Any) -> None:
        self._path = path

    def __repr__(self) -> str:
        guide = f"SentenceTransformer({self._path!r}, device=DEVICE).requires_grad_(False).eval()"
        return guide if self._path else "model"

    def requires_grad_(self, _wanted: bool) -> _Model:
        return self

    def eval(self) -> _Model:
        return self


def loss_source(loss: Loss) -> str:
    """The expression that makes ``loss``."""
    if isinstance(loss, Matryoshka):
        return f"losses.MatryoshkaLoss(model, {loss_source(loss.loss)}, matryoshka_dims={loss.dimensions!r})"
    return repr(loss.build(_Model(), _Losses("losses")))
