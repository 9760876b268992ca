"""Encoding: the same vectors as the library's, whatever the path."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends import encoding
from backends.batching import Computing
from backends.encoder import SearchEncoder, fingerprint
from backends.encoding import encode
from backends.loading import load_encoder
from backends.packing import available, packed
from backends.runs.run import StopRequested


@pytest.fixture(scope="module")
def model(tiny_encoder: Path) -> Any:
    return load_encoder(tiny_encoder)


def texts(count: int, seed: int = 0) -> list[str]:
    draw = random.Random(seed)
    words = ["gpu", "memory", "server", "model", "loss", "data", "显存", "服务器", "search", "index", "vector"]
    return [" ".join(draw.choices(words, k=draw.randint(0, 90))) for _ in range(count)]


@pytest.mark.parametrize("tokens", [0, 16, 100])
def test_same_vectors_as_the_library(model: Any, tokens: int) -> None:
    given = texts(60)
    expected = model.encode(given, prompt="search: ", normalize_embeddings=True)
    found = encode(model, given, "search: ", Computing(tokens=tokens, most=7))
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 1e-5


def test_repeated_texts_are_encoded_once_and_order_is_kept(model: Any) -> None:
    given = texts(20)
    seen: list[tuple[int, int]] = []
    found = encode(model, given * 3, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(set(given)), len(set(given)))
    assert np.array_equal(found[:20], found[40:])
    assert encode(model, []).shape == (0, model.get_embedding_dimension())


def test_bf16_is_close_and_not_equal(model: Any) -> None:
    given = texts(40)
    exact, rounded = encode(model, given), encode(model, given, how=Computing("bf16"))
    assert 0 < np.abs(exact - rounded).max() < 0.02


def test_a_stop_ends_it_and_leaves_the_model_and_torch_as_they_were(model: Any) -> None:
    import torch

    before = {name: type(module) for name, module in model.named_modules()}
    threads = torch.get_num_threads()
    calls = 0

    def stop() -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise StopRequested

    with pytest.raises(StopRequested):
        encode(model, texts(80), how=Computing(tokens=64), check_stop=stop)
    assert {name: type(module) for name, module in model.named_modules()} == before
    assert torch.get_num_threads() == threads


def test_packed_layers_compute_the_same_and_go_away(model: Any) -> None:
    if not available():
        pytest.skip("this CPU or PyTorch packs nothing")
    given = texts(10)
    expected = model.encode(given)
    with packed(model) as count:
        assert count > 12  # six linear layers in each of two blocks, GELU beside
        assert np.abs(model.encode(given) - expected).max() < 1e-5
    assert np.array_equal(model.encode(given), expected)


def test_a_model_the_fast_path_does_not_fit_is_encoded_by_the_library(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = texts(30)
    expected = model.encode(given, normalize_embeddings=True)
    original = encoding.token_ids
    monkeypatch.setattr(encoding, "token_ids", lambda *arguments: [ids[:3] for ids in original(*arguments)])
    assert np.abs(encode(model, given) - expected).max() < 1e-5


def test_vectors_are_kept_by_model_and_text(model: Any, tiny_encoder: Path, tmp_path: Path) -> None:
    mark = fingerprint(tiny_encoder)
    seen: list[int] = []
    encoder = SearchEncoder(model, cache=tmp_path, fingerprint=mark, told=lambda done, total: seen.append(total))
    first = encoder.passages(texts(30))
    assert max(seen) == len(set(texts(30)))
    seen.clear()
    assert np.array_equal(SearchEncoder(model, cache=tmp_path, fingerprint=mark).passages(texts(30)), first)
    encoder.passages([*texts(30), "one more"])
    assert seen == [1]
    other = SearchEncoder(model, cache=tmp_path, fingerprint="another")
    assert other.identity() != encoder.identity()
    for damaged in tmp_path.glob("*.npz"):
        damaged.write_bytes(damaged.read_bytes()[:100])
    assert np.allclose(encoder.passages(texts(30)), first, atol=1e-6)
