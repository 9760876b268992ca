"""Training on a tiny model with the real library: every loss, full and LoRA, checkpoints, failures, trackers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.children.training_setup import events, groups, new_run, prepared, preset, scored, train
from tunewiz.backends import trackers
from tunewiz.backends.models.adapters import linear_layers
from tunewiz.backends.models.loading import load_encoder
from tunewiz.backends.runs.callback import LossNotFinite
from tunewiz.backends.runs.checkpoints import newest
from tunewiz.backends.runs.events import Evaluated, Noticed, Progress, Saved
from tunewiz.backends.runs.run import StopRequested
from tunewiz.backends.trackers.services import TensorBoard
from tunewiz.presets.losses import catalogue, trained_by
from tunewiz.problems import BadPreset, OutOfMemory

# Training on a tiny model with the real library: every loss, full and LoRA, checkpoints, stopping, failures.


LORA = {"type": "lora", "rank": 4, "alpha": 8, "dropout": 0.0}
CHECKPOINTED = {"max_steps": 6, "evaluations": 3}


def rows_for(name: str) -> Any:
    kinds = catalogue()[name].rows
    if name in ("distill_kl", "margin_mse"):  # of a teacher that gives each passage a score of its own
        return prepared([replace(one, positive_scores=(4.0,), negative_scores=(-1.0, 0.5, 2.0)) for one in groups(3)])
    return prepared(groups(3)) if "triplets" in kinds else prepared(pairs=scored())


def loss_for(name: str, model: Path) -> Any:
    options = {"gist": {"guide": str(model)}, "matryoshka": {"dimensions": [32, 16]}}
    return {"name": name} | options.get(name, {})


def logged(run: Any) -> list[Progress]:
    """Progress with a loss; there is more in between, with the step alone."""
    return [event for event in events(run) if isinstance(event, Progress) and "loss" in event.values]


def losses_of(run: Any) -> list[float]:
    return [event.values["loss"] for event in logged(run)]


def weights(folder: Path, like: Any) -> dict[str, Any]:
    return {name: value.clone() for name, value in load_encoder(folder, like).state_dict().items()}


def changed(tuned: dict[str, Any], base: dict[str, Any]) -> set[str]:
    return {name for name, value in tuned.items() if name not in base or not value.equal(base[name])}


@pytest.mark.parametrize("method", [{"type": "full"}, LORA], ids=["full", "lora"])
@pytest.mark.parametrize("name", sorted(trained_by("sentence_transformers")))
def test_every_loss_trains(name: str, method: Any, tiny_encoder: Path, tmp_path: Path) -> None:
    run = new_run(tmp_path)
    wanted = preset(tiny_encoder, loss_for(name, tiny_encoder), method=method)
    tuned = train(run, wanted, rows_for(name))
    progress = logged(run)
    assert [event.step for event in progress] == [1, 2]
    assert {"loss", "grad_norm", "learning_rate", "samples_per_second", "memory"} <= set(progress[0].values)
    told = progress[-1].values
    assert -1 <= told["negative_cosine"] <= 1
    assert told["margin"] == pytest.approx(told["positive_cosine"] - told["negative_cosine"])
    moved = changed(weights(tuned, wanted), weights(tiny_encoder, wanted))
    assert moved
    if method is LORA:
        assert all("lora_" in part for part in moved if "base_layer" not in part)


@pytest.mark.parametrize("loss", ["contrastive", "cosine_similarity", "cosent"])
def test_scored_pairs_train(loss: str, tiny_encoder: Path, tmp_path: Path) -> None:
    run = new_run(tmp_path)
    train(run, preset(tiny_encoder, loss), prepared(pairs=scored(5.0)))
    assert losses_of(run)[0] < 5  # a score of 5 against a cosine would give a loss near 25


def test_lora_saves_its_adapter_and_loads_again(tiny_encoder: Path, tmp_path: Path) -> None:
    import numpy as np

    run = new_run(tmp_path)
    wanted = preset(tiny_encoder, method=LORA, training={"max_steps": 4, "learning_rate": 1e-2})
    tuned = train(run, wanted, prepared(groups()))
    assert (tuned / "adapter_model.safetensors").is_file()
    texts = ["how do i train the gpu", "to stop the disk you do it"]
    before, after = (load_encoder(folder, wanted).encode(texts) for folder in (tiny_encoder, tuned))
    assert np.abs(before - after).max() > 1e-3


def test_lora_targets_are_the_real_linear_layers(tiny_encoder: Path) -> None:
    names = linear_layers(load_encoder(tiny_encoder)[0].auto_model)
    assert {name.split(".")[-1] for name in names} == {"query", "key", "value", "dense"}
    assert not any("pooler" in name for name in names)


def test_lora_on_an_unknown_layer_names_the_known_ones(tiny_encoder: Path, tmp_path: Path) -> None:
    wanted = preset(tiny_encoder, method=LORA | {"target_modules": ["q_proj"]})
    with pytest.raises(BadPreset) as caught:
        train(new_run(tmp_path), wanted, prepared(groups()))
    assert [problem.code for problem in caught.value.problems] == ["lora-target-unknown"]
    assert "query" in caught.value.problems[0].line("en")


def test_same_seed_gives_the_same_numbers(tiny_encoder: Path, tmp_path: Path) -> None:
    wanted = preset(tiny_encoder, training={"max_steps": 5, "epochs": 2})
    runs = [new_run(tmp_path, name) for name in ("first", "second")]
    tuned = [train(run, wanted, prepared(groups(1))) for run in runs]
    assert losses_of(runs[0]) == losses_of(runs[1])
    assert not changed(weights(tuned[0], wanted), weights(tuned[1], wanted))


def test_another_seed_gives_other_numbers(tiny_encoder: Path, tmp_path: Path) -> None:
    runs = []
    for seed in (1, 2):
        runs.append(new_run(tmp_path, str(seed)))
        train(runs[-1], preset(tiny_encoder, training={"seed": seed}), prepared(groups()))
    assert losses_of(runs[0]) != losses_of(runs[1])


@pytest.mark.parametrize("method", [{"type": "full"}, LORA], ids=["full", "lora"])
@pytest.mark.parametrize("after", [2, 7])
def test_stop_then_resume_ends_like_one_run(method: Any, after: int, tiny_encoder: Path, tmp_path: Path) -> None:
    """Five steps an epoch: one stop is in the first epoch, the other in the middle of the second."""
    wanted = preset(tiny_encoder, method=method, training={"max_steps": 10, "evaluations": 1})
    whole, parts = new_run(tmp_path, "whole"), new_run(tmp_path, "parts")
    expected = train(whole, wanted, prepared(groups()))
    with pytest.MonkeyPatch.context() as patch:
        seen = iter(range(1, 100))
        patch.setattr(type(parts), "stop_requested", lambda self: next(seen) >= after)
        with pytest.raises(StopRequested):
            train(parts, wanted, prepared(groups()))
    saved = newest(parts.checkpoints)
    assert saved is not None and saved.name == f"checkpoint-{after}"
    tuned = train(parts, wanted, prepared(groups()))
    assert losses_of(parts) == losses_of(whole)
    assert not changed(weights(tuned, wanted), weights(expected, wanted))


def test_a_half_written_checkpoint_is_passed_over(tiny_encoder: Path, tmp_path: Path) -> None:
    run = new_run(tmp_path)
    train(run, preset(tiny_encoder, training=CHECKPOINTED | {"keep_checkpoints": 3}), prepared(groups()))
    whole = newest(run.checkpoints)
    assert whole is not None and whole.name == "checkpoint-6"
    (whole / "trainer_state.json").unlink()
    earlier = newest(run.checkpoints)
    assert earlier is not None and earlier.name == "checkpoint-4"


def test_validation_picks_the_checkpoint(tiny_encoder: Path, tmp_path: Path) -> None:
    run = new_run(tmp_path)
    wanted = preset(tiny_encoder, training=CHECKPOINTED)
    train(run, wanted, prepared(groups()[8:], groups()[:8]))
    told = events(run)
    measured = [event for event in told if isinstance(event, Evaluated)]
    assert [event.step for event in measured] == [0, 2, 4, 6]
    assert all(0 <= event.metrics["eval_ndcg@10"] <= 1 for event in measured)
    assert [event.path for event in told if isinstance(event, Saved)] == [
        f"checkpoints/checkpoint-{step}" for step in (2, 4, 6)
    ]
    assert "best-checkpoint" in {event.problem["code"] for event in told if isinstance(event, Noticed)}


def test_early_stopping_ends_before_the_last_step(tiny_encoder: Path, tmp_path: Path) -> None:
    run = new_run(tmp_path)
    early = {"enabled": True, "patience": 1, "threshold": 0.5}
    wanted = preset(tiny_encoder, training={"max_steps": 20, "evaluations": 10, "early_stopping": early})
    train(run, wanted, prepared(groups()[8:], groups()[:8]))
    assert max(event.step for event in events(run) if isinstance(event, Progress)) < 20


def test_early_stopping_counts_on_where_it_was(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was measured when a checkpoint was saved is not measured, nor counted, once more."""
    from sentence_transformers.base.evaluation import BaseEvaluator

    from tunewiz.backends.training import validation

    class Scripted(BaseEvaluator):
        values = iter([0.1, 0.9, 0.5, 0.4])  # untouched, then after 2, 4 and 6 steps

        def __call__(self, *_: Any, **__: Any) -> dict[str, float]:
            return {"ndcg@10": next(self.values)}

    monkeypatch.setattr(validation, "search_evaluator", lambda *_: Scripted())
    run = new_run(tmp_path)
    early = {"enabled": True, "patience": 2}
    wanted = preset(
        tiny_encoder, training={"max_steps": 20, "evaluations": 10, "tuned_share": 1, "early_stopping": early}
    )
    rows = prepared(groups()[8:], groups()[:8])
    with pytest.MonkeyPatch.context() as patch:
        seen = iter(range(1, 100))
        patch.setattr(type(run), "stop_requested", lambda self: next(seen) >= 4)
        with pytest.raises(StopRequested):
            train(run, wanted, rows)
    tuned = train(run, wanted, rows)
    steps = [event.step for event in events(run) if isinstance(event, Progress)]
    assert max(steps) == 6
    assert not changed(weights(tuned, wanted), weights(run.checkpoints / "checkpoint-2", wanted))
    # Its patience was lost at the last checkpoint: resumed, it takes no further step.
    train(run, wanted, rows)
    assert [event.step for event in events(run) if isinstance(event, Progress)] == steps


def test_a_best_checkpoint_that_is_lost_is_told(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sentence_transformers.base.evaluation import BaseEvaluator

    from tunewiz.backends.training import validation

    class Scripted(BaseEvaluator):
        values = iter([0.1, 0.9, 0.5, 0.6])

        def __call__(self, *_: Any, **__: Any) -> dict[str, float]:
            return {"ndcg@10": next(self.values)}

    monkeypatch.setattr(validation, "search_evaluator", lambda *_: Scripted())
    run = new_run(tmp_path)
    wanted = preset(tiny_encoder, training=CHECKPOINTED | {"tuned_share": 1})
    rows = prepared(groups()[8:], groups()[:8])
    with pytest.MonkeyPatch.context() as patch:
        seen = iter(range(1, 100))
        patch.setattr(type(run), "stop_requested", lambda self: next(seen) >= 4)
        with pytest.raises(StopRequested):
            train(run, wanted, rows)
    (run.checkpoints / "checkpoint-2" / "model.safetensors").unlink()
    tuned = train(run, wanted, rows)
    assert "best-checkpoint-lost" in {event.problem["code"] for event in events(run) if isinstance(event, Noticed)}
    assert not changed(weights(tuned, wanted), weights(run.checkpoints / "checkpoint-6", wanted))


def test_a_loss_that_is_no_number_ends_the_run(tiny_encoder: Path, tmp_path: Path) -> None:
    run = new_run(tmp_path)
    wanted = preset(tiny_encoder, training={"learning_rate": 0.99, "max_steps": 50, "optimizer": "sgd", "warmup": 0})
    with pytest.MonkeyPatch.context() as patch:
        import torch

        # A model that has diverged, whatever the numbers of this machine.
        patch.setattr(torch.nn.functional, "cross_entropy", lambda scores, *_, **__: scores.sum() * float("nan"))
        patch.setattr(torch.nn.CrossEntropyLoss, "forward", lambda self, scores, _: scores.sum() * float("nan"))
        patch.setattr(torch, "logsumexp", lambda scores, *_, **__: scores.sum(dim=1) * float("nan"))
        with pytest.raises(LossNotFinite):
            train(run, wanted, prepared(groups()))
    assert "loss-not-finite" in {event.problem["code"] for event in events(run) if isinstance(event, Noticed)}


def test_lack_of_memory_comes_with_advice(tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from sentence_transformers import SentenceTransformer

    def exhausted(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    wanted = preset(tiny_encoder, training={"batch_size": 32})
    monkeypatch.setattr(SentenceTransformer, "forward", exhausted)
    with pytest.raises(OutOfMemory) as caught:
        train(new_run(tmp_path), wanted, prepared(groups()))
    keys = [problem.where.key for problem in caught.value.problems]
    assert keys == ["", "loss.name", "training.batch_size", "training.gradient_checkpointing", "method.type"]


def test_rows_that_do_not_fit_name_the_losses_that_do(tiny_encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadPreset) as caught:
        train(new_run(tmp_path), preset(tiny_encoder, "triplet"), prepared(groups()))
    assert "multiple_negatives_ranking" in caught.value.problems[0].line("en")


def test_matryoshka_longer_than_the_model_is_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadPreset) as caught:
        train(new_run(tmp_path), preset(tiny_encoder, {"name": "matryoshka", "dimensions": [64]}), prepared(groups()))
    assert caught.value.problems[0].code == "matryoshka-dimensions"


@pytest.mark.parametrize(
    "training",
    [
        {"gradient_checkpointing": True},
        {"accumulation": 2},
        {"scheduler": "cosine"},
        {"scheduler": "constant_with_warmup"},
        {"scheduler": "polynomial"},
        {"optimizer": "adafactor"},
        {"optimizer": "sgd"},
        {"precision": "bf16"},
        {"precision": "fp32", "group_by_length": False},
        {"workers": 1},
        {"max_steps": -1, "epochs": 0.5},
    ],
    ids=lambda training: "-".join(map(str, training.items())),
)
def test_options_train(training: Any, tiny_encoder: Path, tmp_path: Path) -> None:
    run = new_run(tmp_path)
    train(run, preset(tiny_encoder, training=training), prepared(groups()))
    assert losses_of(run)


@pytest.mark.parametrize("method", [{"type": "full"}, LORA], ids=["full", "lora"])
def test_the_kept_model_is_the_best_checkpoint(
    method: Any, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sentence_transformers.base.evaluation import BaseEvaluator

    from tunewiz.backends.training import validation

    class Scripted(BaseEvaluator):
        values = iter([0.1, 0.3, 0.9, 0.2])

        def __call__(self, *_: Any, **__: Any) -> dict[str, float]:
            return {"ndcg@10": next(self.values)}

    monkeypatch.setattr(validation, "search_evaluator", lambda *_: Scripted())
    run = new_run(tmp_path)
    wanted = preset(tiny_encoder, method=method, training=CHECKPOINTED | {"keep_checkpoints": 3, "tuned_share": 1})
    tuned = train(run, wanted, prepared(groups()[8:], groups()[:8]))
    kept = weights(tuned, wanted)
    assert not changed(kept, weights(run.checkpoints / "checkpoint-4", wanted))
    assert changed(kept, weights(run.checkpoints / "checkpoint-6", wanted))


def test_no_gain_on_validation_is_said(tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sentence_transformers.base.evaluation import BaseEvaluator

    from tunewiz.backends.training import validation

    class Falling(BaseEvaluator):
        values = iter([0.9, 0.8, 0.7, 0.6])

        def __call__(self, *_: Any, **__: Any) -> dict[str, float]:
            return {"ndcg@10": next(self.values)}

    monkeypatch.setattr(validation, "search_evaluator", lambda *_: Falling())
    run = new_run(tmp_path)
    wanted = preset(tiny_encoder, training=CHECKPOINTED | {"tuned_share": 1})
    train(run, wanted, prepared(groups()[8:], groups()[:8]))
    assert "validation-no-gain" in {event.problem["code"] for event in events(run) if isinstance(event, Noticed)}


def test_a_model_the_library_must_tokenize_trains_too(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunewiz.backends.training import encoder_training

    def refused(*_: Any) -> Any:
        raise encoder_training.NotCacheable

    monkeypatch.setattr(encoder_training, "token_columns", refused)
    run = new_run(tmp_path)
    wanted = preset(tiny_encoder, model={"id": str(tiny_encoder), "source": "local", "query_instruction": "search: "})
    train(run, wanted, prepared(groups(1)))
    assert len(losses_of(run)) == 2


def test_scored_pairs_are_validated_by_rank_correlation(tiny_encoder: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    run = new_run(tmp_path)
    rows = replace(prepared(pairs=scored()[10:]), validation_pairs=scored()[:10])
    train(run, preset(tiny_encoder, "cosent", training=CHECKPOINTED), rows)
    measured = [event.metrics for event in events(run) if isinstance(event, Evaluated)]
    assert len(measured) == 4 and all(-1 <= metrics["eval_spearman"] <= 1 for metrics in measured)


# Trackers: one that fails is told of once and the run goes on; TensorBoard really writes.


def warnings_of(run: Any) -> list[Any]:
    told = [event.problem for event in events(run) if isinstance(event, Noticed)]
    return [problem for problem in told if problem["code"] == "tracker-failed"]


def test_all_trackers_of_the_schema_have_a_file() -> None:
    assert set(trackers.catalogue()) == {"tensorboard", "wandb", "swanlab", "trackio"}


def test_tensorboard_writes_into_the_run(tiny_encoder: Path, tmp_path: Path) -> None:
    run = new_run(tmp_path)
    train(run, preset(tiny_encoder, tracking={"trackers": ["tensorboard"]}), prepared(groups()))
    assert list((run.directory / "tensorboard").glob("events.out.tfevents*"))
    assert not warnings_of(run)


@pytest.mark.parametrize("moment", ["callback", "on_train_begin", "on_log", "on_train_end"])
def test_a_failing_tracker_never_fails_the_run(
    moment: str, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise ConnectionError("the tracker's server is away")

    class Callback:
        def __getattr__(self, event: str) -> Any:
            return broken if event == moment else lambda *_, **__: None

    monkeypatch.setattr(TensorBoard, "callback", broken if moment == "callback" else lambda *_: Callback())
    run = new_run(tmp_path)
    tuned = train(run, preset(tiny_encoder, tracking={"trackers": ["tensorboard"]}), prepared(groups()))
    assert tuned.is_dir() and [event for event in events(run) if isinstance(event, Progress)]
    told = warnings_of(run)
    assert len(told) == 1
    assert told[0]["severity"] == "warning" and "server is away" in told[0]["message"]


@pytest.mark.parametrize("name", ["wandb", "swanlab", "trackio"])
def test_a_tracker_that_is_not_installed_is_a_warning(name: str, tiny_encoder: Path, tmp_path: Path) -> None:
    if __import__("importlib.util").util.find_spec(trackers.catalogue()[name].package):
        pytest.skip(f"{name} is installed here")
    run = new_run(tmp_path)
    train(run, preset(tiny_encoder, tracking={"trackers": [name]}), prepared(groups()))
    assert [problem["code"] for problem in warnings_of(run)] == ["tracker-failed"]
