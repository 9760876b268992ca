"""What a preset says of layers against a model that is not loaded."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from tunewiz.backends.models.layers import layer_problems, linear_layers_of, weights_in
from tunewiz.presets.yaml import library
from tunewiz.problems import Problem

_BLOCK = {
    "attention.self.query.weight": [32, 32],
    "attention.self.query.bias": [32],
    "attention.output.LayerNorm.weight": [32],
    "intermediate.dense.weight": [48, 32],
}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the head of a model's weights and no weights behind it."""
    folder = tmp_path_factory.mktemp("encoder")
    names = {f"encoder.layer.{number}.{name}": shape for number in range(2) for name, shape in _BLOCK.items()}
    names |= {"embeddings.word_embeddings.weight": [900, 32], "pooler.dense.weight": [32, 32]}
    head = json.dumps({name: {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]} for name, shape in names.items()})
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(head)) + head.encode())
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}), "utf-8")
    return folder


def _of(model: Path, method: dict[str, Any]) -> list[Problem]:
    told = {
        "name": "x",
        "task": "embedding",
        "model": {"id": str(model), "source": "local"},
        "data": {"train": "sample:faq-en"},
        "loss": "multiple_negatives_ranking",
        "method": {"type": "lora"} | method,
    }
    return list(layer_problems(library.loads(json.dumps(told))))


def test_linear_layers_are_told_from_tables_and_norms(encoder: Path) -> None:
    names = {name.partition(".layer.")[2][2:] for name in linear_layers_of(weights_in(encoder), ("pooler",))}
    assert names == {"attention.self.query", "intermediate.dense"}


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ({"target_modules": ["query", "vlaue"]}, "no linear layer vlaue. There are: dense, query"),
        ({"target_modules": ["qurey"]}, "Did you mean query?"),
        ({"target_modules": ["LayerNorm"]}, "no linear layer LayerNorm"),
        ({"target_modules": ["pooler.dense"]}, "no linear layer pooler.dense"),
        ({"rank": 64}, "Set method.rank to 32 or less"),
    ],
)
def test_what_does_not_go_with_the_model_is_told(encoder: Path, method: dict[str, Any], words: str) -> None:
    found = _of(encoder, method)
    assert len(found) == 1 and words in found[0].line("en")
    assert found[0].where.key.startswith("method.")


@pytest.mark.parametrize("names", [["query"], ["attention.self.query", "intermediate.dense"]])
def test_names_and_ends_of_names_are_layers(encoder: Path, names: list[str]) -> None:
    assert _of(encoder, {"target_modules": names, "rank": 8}) == []


def test_damaged_weights_are_not_judged(encoder: Path, tmp_path: Path) -> None:
    for content in (b"", b"\x08", struct.pack("<Q", 1 << 60) + b"{}", struct.pack("<Q", 4) + b"[[[["):
        (tmp_path / "model.safetensors").write_bytes(content)
        assert weights_in(tmp_path) == {}


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        (["method.target_modules=[q_prj]"], "lora-target-unknown"),
        (["method.rank=512", "method.pissa=true"], "rank-above-width"),
        (["method={type: oft, block_size: 48}"], "block-size"),
        (["method={type: freeze, extra_modules: [norms]}"], "extra-modules-unknown"),
    ],
)
def test_decoders_that_are_not_here_are_known_by_their_family(settings: list[str], code: str) -> None:
    found = list(layer_problems(library.load("llm/qwen3-0.6b-lora", settings)))
    assert [problem.code for problem in found] == ([code] if code != "rank-above-width" else [])
    if code == "rank-above-width":  # 1024 wide: a rank of 512 fits
        starter = list(layer_problems(library.load("llm/gemma-3-270m-lora", settings)))
        assert [(problem.code, problem.severity) for problem in starter] == [(code, "error")]
