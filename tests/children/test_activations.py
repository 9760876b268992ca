"""The numbers of the memory estimate, measured: what PyTorch really keeps for the backward pass."""

from __future__ import annotations

from typing import Any

import pytest

from presets.memory import Shape

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


def _kept(torch: Any, model: Any, half: bool) -> int:
    """Bytes of distinct storage that autograd holds on to, weights left out."""
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    storages: dict[int, int] = {}
    alive = []

    def pack(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            storages[storage.data_ptr()] = storage.nbytes()
        alive.append(tensor)
        return tensor

    ids = torch.randint(5, 100, (BATCH, LENGTH))
    mask = torch.ones_like(ids)
    mask[0, -1] = 0
    model.train()
    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=half),
    ):
        held = model(input_ids=ids, attention_mask=mask)
    assert held is not None
    return sum(storages.values())


@pytest.mark.parametrize("half", [True, False], ids=["16 bit", "32 bit"])
@pytest.mark.parametrize("kind", ["bert", "qwen"])
def test_activations_a_layer_match_what_autograd_keeps(kind: str, half: bool) -> None:
    torch = pytest.importorskip("torch")
    make, shape = {
        "bert": (_bert, Shape(0, HIDDEN, 1, 4 * HIDDEN)),
        "qwen": (_qwen, Shape(0, HIDDEN, 1, 3 * HIDDEN, gated=True, decoder=True)),
    }[kind]
    two_layers = _kept(torch, make(torch, 4), half) - _kept(torch, make(torch, 2), half)
    copies = 2 * shape.matrices if half else 0
    measured = (two_layers / 2 - copies) / (BATCH * LENGTH)
    assert shape.kept(half) == pytest.approx(measured, rel=0.15)
