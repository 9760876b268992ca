"""Tuned and untouched weights mixed: by a share that is named, by validation, and after a stop in between."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.children.training_setup import events, groups, new_run, prepared, preset, train
from tunewiz.backends.models.adapters import merge_adapter
from tunewiz.backends.models.loading import load_encoder
from tunewiz.backends.runs.events import Noticed
from tunewiz.backends.runs.run import Run, StopRequested
from tunewiz.backends.training import interpolating
from tunewiz.backends.training.interpolating import SHARES, choose

TRAINING = {"max_steps": 6, "evaluations": 1}
METHODS = [{"type": "full"}, {"type": "lora", "rank": 4, "alpha": 8, "dropout": 0.0, "use_dora": True}]


def weights(folder: Path, like: Any) -> dict[str, Any]:
    model = merge_adapter(load_encoder(folder, like))
    return {name: value.clone() for name, value in model.state_dict().items() if value.is_floating_point()}


def rows() -> Any:
    return prepared(groups()[8:], groups()[:8])


def told(run: Run) -> list[Mapping[str, Any]]:
    found = [event.problem for event in events(run) if isinstance(event, Noticed)]
    return [problem for problem in found if problem["code"] == "tuned-share"]


@pytest.mark.parametrize("method", METHODS, ids=["full", "dora"])
def test_a_share_lies_between_the_untouched_and_the_tuned_weights(
    method: Any, tiny_encoder: Path, tmp_path: Path
) -> None:
    wanted = preset(tiny_encoder, method=method, training=TRAINING)
    found = {}
    for share in (0.0, 0.5, 1.0):
        own = wanted.training.model_copy(update={"tuned_share": share})
        run = new_run(tmp_path, f"share-{share}")
        found[share] = weights(train(run, wanted.model_copy(update={"training": own}), rows()), wanted)
    base = weights(tiny_encoder, wanted)
    assert all(found[0.0][name].allclose(base[name], atol=1e-6) for name in base)
    moved = [name for name in base if not found[1.0][name].allclose(base[name], atol=1e-6)]
    assert moved
    between = [(found[0.5][name] - base[name]).norm() / (found[1.0][name] - base[name]).norm() for name in moved]
    # DoRA's direction is brought back to length one after it is scaled: half of the way only nearly.
    assert all(0.3 < float(ratio) < 0.7 for ratio in between)
    if method["type"] == "full":
        assert all(found[0.5][name].allclose((base[name] + found[1.0][name]) / 2, atol=1e-6) for name in base)


def test_worse_on_validation_ends_with_the_untouched_weights(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def falling(*_: Any) -> Mapping[float, Mapping[str, float]]:
        return {share: {"q1": 0.9 - share / 2, "q2": 0.5} for share in SHARES}

    monkeypatch.setattr("tunewiz.backends.training.library_training.measured", falling)
    run, wanted = new_run(tmp_path), preset(tiny_encoder, training=TRAINING)
    tuned, base = weights(train(run, wanted, rows()), wanted), weights(tiny_encoder, wanted)
    assert all(tuned[name].equal(base[name]) for name in base)
    assert told(run)[0]["severity"] == "warning" and "0: 0.7000" in told(run)[0]["message"]
    assert json.loads(run.record_file.read_text("utf-8"))["tuned_share"] == 0


def test_a_stop_while_shares_are_measured_resumes_to_the_same(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = preset(tiny_encoder, training=TRAINING)
    whole, parts = new_run(tmp_path, "whole"), new_run(tmp_path, "parts")
    expected = weights(train(whole, wanted, rows()), wanted)

    def stopped(*_: Any) -> Any:
        raise StopRequested

    with monkeypatch.context() as patch:
        patch.setattr(interpolating.Between, "set", stopped)
        with pytest.raises(StopRequested):
            train(parts, wanted, rows())
    assert not (parts.checkpoints / "tuned").exists()
    tuned = weights(train(parts, wanted, rows()), wanted)
    assert all(tuned[name].equal(expected[name]) for name in expected)
    assert told(parts)[-1]["message"] == told(whole)[0]["message"]


def values(*means: float) -> dict[float, dict[str, float]]:
    """Forty queries a share, all with the same mean but for a little noise that is the same everywhere."""
    return {
        share: {str(query): mean + (query % 5) / 100 for query in range(40)}
        for share, mean in zip(SHARES, means, strict=True)
    }


def test_the_tuned_weights_stay_unless_another_share_is_better_beyond_chance() -> None:
    assert choose(values(0.1, 0.2, 0.3, 0.4, 0.5), 42).share == 1.0
    assert choose(values(0.1, 0.2, 0.6, 0.4, 0.5), 42).share == 0.5
    noisy = values(0.1, 0.2, 0.5, 0.4, 0.5)
    noisy[0.5] = {query: value + (0.4 if int(query) % 2 else -0.36) for query, value in noisy[0.5].items()}
    assert choose(noisy, 42).means[0.5] > choose(noisy, 42).means[1.0]
    assert choose(noisy, 42).share == 1.0
    # Worse than the untouched weights: then the best there is, however close it be.
    noisy[0.0] = dict.fromkeys(noisy[0.0], 0.521)
    assert choose(noisy, 42).share == 0.5
    assert choose(values(0.5, 0.4, 0.4, 0.4, 0.4), 42).share == 0.0
    assert choose(values(0.5, 0.5, 0.5, 0.5, 0.5), 42).share == 1.0
