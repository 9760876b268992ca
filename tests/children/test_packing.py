"""Packed layers are there for speed alone: without PyTorch's private operators every number is the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.children.evaluation import write_beir
from tunewiz.backends.evaluate import Measurement, MetricOptions
from tunewiz.backends.evaluate.measuring import measure
from tunewiz.backends.models.batching import EncodeOptions
from tunewiz.backends.models.encoding import encode
from tunewiz.backends.models.loading import load_encoder, load_reranker
from tunewiz.backends.models.packing import available, packed_linear_layers
from tunewiz.backends.models.reranking import ready_to_score
from tunewiz.data.opening import opened
from tunewiz.data.reading.source import Dataset
from tunewiz.data.rows.examples import Collection

TEXTS = [f"{word} the gpu memory {'of my server ' * place}" for place, word in enumerate(["check", "stop", "run"] * 4)]


@pytest.fixture
def model(tiny_encoder: Path) -> Any:
    return load_encoder(tiny_encoder)


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    return opened.read_collection(
        opened.open_dataset(Dataset(str(write_beir(tmp_path / "beir"))), print), "test", print
    )


class _Gone:
    """What ``torch.ops.mkldnn`` is once PyTorch has dropped the operators."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"'_OpNamespace' 'mkldnn' object has no attribute '{name}'")


class _Other:
    """Operators of the same names that ask for another argument, fail, or compute something else."""

    def __init__(self, pointwise: Callable[..., Any]) -> None:
        self._linear_pointwise = pointwise

    def _reorder_linear_weight(self, weight: Any, _rows: int) -> Any:
        return weight


def _renamed(*, inputs: Any) -> Any:
    return inputs


def _failing(*_: Any) -> Any:
    raise RuntimeError("could not create a primitive")


def _wrong(inputs: Any, weight: Any, *_: Any) -> Any:
    return inputs @ weight.T + 0.5


OPERATORS = {"gone": _Gone(), "renamed": _Other(_renamed), "failing": _Other(_failing), "wrong": _Other(_wrong)}


@pytest.mark.parametrize("kind", OPERATORS)
def test_measuring_gives_the_same_numbers_without_the_operators(
    kind: str, tiny_encoder: Path, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def measured() -> Measurement:
        return measure(tiny_encoder, collection, MetricOptions((1, 3)))

    expected = measured()
    monkeypatch.setattr(torch.ops, "mkldnn", OPERATORS[kind])
    assert not available()
    found = measured()
    assert found.metrics == expected.metrics
    assert found.per_query == expected.per_query
    for query, ranking in expected.rankings.items():
        assert [key for key, _ in found.rankings[query]] == [key for key, _ in ranking]
        assert [score for _, score in found.rankings[query]] == pytest.approx([score for _, score in ranking], abs=1e-6)


def test_without_the_operators_nothing_is_packed_and_scores_are_the_same(
    tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    reranker = load_reranker(tiny_encoder)
    pairs = [(text, other) for text, other in zip(TEXTS, reversed(TEXTS), strict=True)]
    with ready_to_score(reranker) as scorer:
        expected = scorer.scores(pairs)
    monkeypatch.setattr(torch.ops, "mkldnn", _Gone())
    with packed_linear_layers(reranker) as count:
        assert count == 0
    with ready_to_score(reranker) as scorer:
        assert scorer.fast
        assert np.abs(scorer.scores(pairs) - expected).max() < 1e-6


def test_nothing_is_left_packed(model: Any) -> None:
    if not available():
        pytest.skip("this CPU or PyTorch packs nothing")
    before = list(model.modules())
    encode(model, TEXTS)
    assert all(one is other for one, other in zip(model.modules(), before, strict=True))
    with pytest.raises(ZeroDivisionError), packed_linear_layers(model) as count:
        assert count > 12
        assert any(type(part).__name__ == "PackedLinear" for part in model.modules())
        _ = 1 / 0
    assert all(one is other for one, other in zip(model.modules(), before, strict=True))


def test_bf16_is_rounded_by_autocast_where_it_cannot_be_packed(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """CPUs with AVX2 alone have no packed bf16."""
    import torch

    exact = encode(model, TEXTS)
    monkeypatch.setattr(torch.ops, "mkldnn", _Other(_failing))
    rounded = encode(model, TEXTS, options=EncodeOptions("bf16"))
    assert 0 < np.abs(rounded - exact).max() < 0.02


def test_trying_the_operators_draws_no_random_number(model: Any) -> None:
    """A measurement during training must not change the dropout of the next step."""
    import torch

    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    encode(model, TEXTS)
    assert torch.rand(1) == expected
