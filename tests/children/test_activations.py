"""The numbers of the memory estimates, measured: what PyTorch really keeps for the backward pass."""

from __future__ import annotations

from typing import Any

import pytest

from tunewiz.presets.memory.encoder import Shape
from tunewiz.presets.memory.language_model import Decoder, Sequences, activation_bytes

# What autograd keeps for the backward pass, measured.


def kept_by_autograd(model: Any, backbone: Any, batch: int, length: int, autocast: bool) -> int:
    """Bytes of distinct storage that autograd holds on to after ``backbone`` read a batch; weights are left out."""
    import torch

    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    storages: dict[int, int] = {}
    alive = []  # a freed storage's address could be used again

    def pack(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            storages[storage.data_ptr()] = storage.nbytes()
        alive.append(tensor)
        return tensor

    ids = torch.randint(5, 100, (batch, length))
    mask = torch.ones_like(ids)
    mask[0, -1] = 0
    model.train()
    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=autocast),
    ):
        held = backbone(input_ids=ids, attention_mask=mask)
    assert held is not None
    return sum(storages.values())


# The numbers of the memory estimate, measured: what PyTorch really keeps for the backward pass.


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
    two_layers = kept_by_autograd(four, four, BATCH, LENGTH, half) - kept_by_autograd(two, two, BATCH, LENGTH, half)
    copies = 2 * shape.matrices if half else 0
    measured = (two_layers / 2 - copies) / (BATCH * LENGTH)
    assert shape.kept(half) == pytest.approx(measured, rel=0.15)


@pytest.mark.parametrize("half", [True, False], ids=["16 bit", "32 bit"])
def test_attention_that_drops_out_keeps_its_scores_on_a_processor(half: bool) -> None:
    pytest.importorskip("torch")
    from transformers import BertConfig, BertModel

    def kept(layers: int, length: int) -> int:
        config = BertConfig(vocab_size=1000, hidden_size=128, num_hidden_layers=layers, num_attention_heads=4,
                            intermediate_size=512, attention_probs_dropout_prob=0.1)  # fmt: skip
        model = BertModel(config)
        return kept_by_autograd(model, model, BATCH, length, half)

    # Twice a layer of half the length leaves what grows with the square, and the copies of the weights.
    short, mid, long = (kept(2, length) - kept(1, length) for length in (64, 128, 256))
    squares = ((long - mid) - 2 * (mid - short)) / BATCH / (256**2 - 128**2 - 2 * (128**2 - 64**2))
    assert Shape(0, 128, 1, 512, heads=4, drops=True).scores == pytest.approx(squares, rel=0.05)


# The numbers of the language models' memory estimate, measured: what PyTorch keeps for the backward pass.


LLM_BATCH, LLM_LENGTH, LLM_HIDDEN, MLP = 4, 128, 256, 1024


def _model(kind: str, layers: int) -> Any:
    import transformers as t

    settings: dict[str, Any] = {
        "vocab_size": 1000,
        "hidden_size": LLM_HIDDEN,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": MLP,
    }
    if kind == "qwen3":
        return t.Qwen3ForCausalLM(t.Qwen3Config(**settings, head_dim=64))
    return t.LlamaForCausalLM(t.LlamaConfig(**settings))


def _adapted(model: Any, dropout: float) -> Any:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=8, lora_alpha=16, lora_dropout=dropout, target_modules="all-linear", task_type="CAUSAL_LM")
    adapted = get_peft_model(model, config)
    for weight in adapted.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()  # as LLaMA-Factory trains them
    adapted.enable_input_require_grads()
    return adapted


@pytest.mark.parametrize("kind", ["llama", "qwen3"])
@pytest.mark.parametrize("way", ["full", "lora", "lora with dropout"])
def test_activations_a_layer_of_a_language_model_match_what_autograd_keeps(kind: str, way: str) -> None:
    torch = pytest.importorskip("torch")
    measured = []
    for layers in (2, 4):
        model = _model(kind, layers).to(torch.bfloat16)
        if way == "full":
            measured.append(kept_by_autograd(model, model.model, LLM_BATCH, LLM_LENGTH, autocast=False))
        else:
            adapted = _adapted(model, 0.1 if "dropout" in way else 0.0)
            measured.append(
                kept_by_autograd(adapted, adapted.get_base_model().model, LLM_BATCH, LLM_LENGTH, autocast=True)
            )
    a_layer = (measured[1] - measured[0]) / 2 / (LLM_BATCH * LLM_LENGTH)
    shape = Decoder(0, LLM_HIDDEN, 1, MLP, 1000, 4, 2, 64, normalised_queries=kind == "qwen3")
    load = Sequences(LLM_BATCH, LLM_LENGTH, 0, adapters=way != "full", dropout="dropout" in way)
    assert activation_bytes(shape, load) == pytest.approx(a_layer, rel=0.15)
