"""A model that reads pictures too is tuned on text alone: Qwen3.5, with its own tokenizer, template and processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.children.llm_setup import ran
from tests.conftest import bpe

pytestmark = pytest.mark.torture

_PATCH = 16


def tiny_sighted(folder: Path) -> Path:
    """A random Qwen3.5 of two layers (one of each kind of attention) and one of vision."""
    import torch
    from transformers import (
        Qwen2VLImageProcessor,
        Qwen3_5Config,
        Qwen3_5ForConditionalGeneration,
        Qwen3VLProcessor,
        Qwen3VLVideoProcessor,
    )

    torch.manual_seed(0)
    tokenizer = bpe()
    marks = {name: f"<|{name}|>" for name in ("image_pad", "video_pad", "vision_start", "vision_end")}
    tokenizer.add_special_tokens({"additional_special_tokens": list(marks.values())})
    ids = {name: tokenizer.convert_tokens_to_ids(mark) for name, mark in marks.items()}
    text: dict[str, Any] = {
        "vocab_size": len(tokenizer), "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 16, "intermediate_size": 128, "max_position_embeddings": 512,
        "linear_key_head_dim": 16, "linear_value_head_dim": 16, "linear_num_key_heads": 2, "linear_num_value_heads": 4,
        "layer_types": ["linear_attention", "full_attention"], "tie_word_embeddings": True,
        "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip
    vision = {"depth": 1, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 64,
              "num_position_embeddings": 16, "patch_size": _PATCH}  # fmt: skip
    config = Qwen3_5Config(
        text_config=text, vision_config=vision, image_token_id=ids["image_pad"], video_token_id=ids["video_pad"],
        vision_start_token_id=ids["vision_start"], vision_end_token_id=ids["vision_end"], tie_word_embeddings=True,
    )  # fmt: skip
    Qwen3_5ForConditionalGeneration(config).save_pretrained(folder)
    sizes = {"shortest_edge": (2 * _PATCH) ** 2, "longest_edge": (4 * _PATCH) ** 2}
    images = Qwen2VLImageProcessor(patch_size=_PATCH, size=sizes)
    Qwen3VLProcessor(images, tokenizer, Qwen3VLVideoProcessor(), tokenizer.chat_template).save_pretrained(folder)
    return folder


def test_text_alone_is_enough(tmp_path: Path) -> None:
    model = tiny_sighted(tmp_path / "model")
    case = {"method": {"type": "lora", "rank": 4, "alpha": 8}, "data": {"limit": 16}, "evaluation": {"rows": 2}}
    found = ran(tmp_path, model, {"sighted": case})["sighted"]
    assert found["record"]["template"] == "qwen3_5"
    assert "adapter_model.safetensors" in found["files"]
    assert found["after"]["loss"] < found["before"]["loss"]
