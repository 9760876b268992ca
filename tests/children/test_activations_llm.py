"""The numbers of the language models' memory estimate, measured: what PyTorch keeps for the backward pass."""

from __future__ import annotations

from typing import Any

import pytest

from presets.memory_llm import Decoder, Sequences, kept
from tests.children.activations import kept as _kept

BATCH, LENGTH, HIDDEN, MLP = 4, 128, 256, 1024


def _model(kind: str, layers: int) -> Any:
    import transformers as t

    settings: dict[str, Any] = {
        "vocab_size": 1000,
        "hidden_size": HIDDEN,
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
def test_activations_a_layer_match_what_autograd_keeps(kind: str, way: str) -> None:
    torch = pytest.importorskip("torch")
    measured = []
    for layers in (2, 4):
        model = _model(kind, layers).to(torch.bfloat16)
        if way == "full":
            measured.append(_kept(model, model.model, BATCH, LENGTH, autocast=False))
        else:
            adapted = _adapted(model, 0.1 if "dropout" in way else 0.0)
            measured.append(_kept(adapted, adapted.get_base_model().model, BATCH, LENGTH, autocast=True))
    a_layer = (measured[1] - measured[0]) / 2 / (BATCH * LENGTH)
    shape = Decoder(0, HIDDEN, 1, MLP, 1000, 4, 2, 64, normalised_queries=kind == "qwen3")
    load = Sequences(BATCH, LENGTH, 0, adapters=way != "full", dropout="dropout" in way)
    assert kept(shape, load) == pytest.approx(a_layer, rel=0.15)
