"""The numbers of the memory estimate, measured: what PyTorch really keeps for the backward pass."""

from __future__ import annotations

from typing import Any

import pytest

from presets.memory import Shape
from tests.children.activations import kept

BATCH, LENGTH, HIDDEN = 4, 256, 256


def _bert(torch: Any, layers: int) -> Any:
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=1000,
        hidden_size=HIDDEN,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=4 * HIDDEN,
        attention_probs_dropout_prob=0.0,  # a GPU's fused kernel drops without keeping scores, the CPU's does not
    )
    return BertModel(config)


def _qwen(torch: Any, layers: int) -> Any:
    from transformers import Qwen3Config, Qwen3Model

    config = Qwen3Config(
        vocab_size=1000,
        hidden_size=HIDDEN,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=64,
        intermediate_size=3 * HIDDEN,
    )
    return Qwen3Model(config)


@pytest.mark.parametrize("half", [True, False], ids=["16 bit", "32 bit"])
@pytest.mark.parametrize("kind", ["bert", "qwen"])
def test_activations_a_layer_match_what_autograd_keeps(kind: str, half: bool) -> None:
    torch = pytest.importorskip("torch")
    make, shape = {
        "bert": (_bert, Shape(0, HIDDEN, 1, 4 * HIDDEN)),
        "qwen": (_qwen, Shape(0, HIDDEN, 1, 3 * HIDDEN, gated=True, decoder=True)),
    }[kind]
    four, two = (make(torch, layers) for layers in (4, 2))
    two_layers = kept(four, four, BATCH, LENGTH, half) - kept(two, two, BATCH, LENGTH, half)
    copies = 2 * shape.matrices if half else 0
    measured = (two_layers / 2 - copies) / (BATCH * LENGTH)
    assert shape.kept(half) == pytest.approx(measured, rel=0.15)
