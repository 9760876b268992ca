"""Which numbers a model drops at random while it is trained: ``training.dropout``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.children.training_setup import groups, new_run, prepared, preset, train
from tunewiz.backends.training.encoder_training import EncoderTraining
from tunewiz.backends.training.library_training import dropped


def shares(model: Any) -> dict[str, float]:
    """Of each module that drops numbers, by the end of its name, LoRA's among them."""
    named = ((name, module) for name, module in model.named_modules() if type(module).__name__ == "Dropout")
    return {name.rsplit("layer.0.", 1)[-1]: module.p for name, module in named if "layer.1." not in name}


@pytest.mark.parametrize("dropout", ["auto", "model", "none"])
def test_the_key_says_what_is_dropped_and_lora_keeps_its_own(dropout: str, tiny_encoder: Path, tmp_path: Path) -> None:
    lora = {"type": "lora", "rank": 2, "dropout": 0.25}
    wanted = preset(tiny_encoder, method=lora, training={"dropout": dropout})
    model = EncoderTraining(new_run(tmp_path), wanted, prepared(groups()), tiny_encoder).model()
    found = shares(model)
    assert {share for name, share in found.items() if "lora" in name} == {0.25}
    assert found["attention.self.dropout"] == (0.1 if dropout == "model" else 0)
    assert found["attention.output.dropout"] == found["output.dropout"] == (0 if dropout == "none" else 0.1)


def test_the_tuned_model_is_saved_as_it_was_made(tiny_encoder: Path, tmp_path: Path) -> None:
    tuned = train(new_run(tmp_path), preset(tiny_encoder), prepared(groups()))
    config = json.loads((tuned / "config.json").read_text("utf-8"))
    assert config["attention_probs_dropout_prob"] == config["hidden_dropout_prob"] == 0.1


@pytest.mark.parametrize(
    ("kind", "weighs"),
    [
        ("bert", {"attention.self.dropout"}),
        ("mpnet", {"attention.attn.dropout"}),
        ("distilbert", {"attention.dropout"}),
        ("t5", {"SelfAttention", "EncDecAttention"}),  # it drops by a function, not by a module
        ("qwen3", set()),
    ],
)
def test_what_attention_weighs_is_found_in_every_kind_of_model(kind: str, weighs: set[str]) -> None:
    import torch
    from transformers import AutoConfig, AutoModel

    small = dict.fromkeys(("hidden_size", "d_model", "dim", "intermediate_size", "hidden_dim", "d_ff"), 16)
    few = dict.fromkeys(
        ("num_hidden_layers", "num_layers", "n_layers", "num_attention_heads", "num_heads", "n_heads"), 2
    )
    names = AutoConfig.for_model(kind).to_dict()
    config = AutoConfig.for_model(
        kind, vocab_size=100, **{name: value for name, value in (small | few).items() if name in names}
    )
    with torch.device("meta"):
        model = AutoModel.from_config(config)
    found = dropped(model, "auto")
    assert {ending for ending in weighs if any(one.name.endswith(ending) for one in found)} == weighs
    assert all(any(one.name.endswith(ending) for ending in weighs) for one in found)
    assert dropped(model, "model") == []
    assert len(dropped(model, "none")) >= len(found)
