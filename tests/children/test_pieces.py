"""Documents scored in pieces: the losses of a training at once, to the fifth digit, with the memory of a piece."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.children.reranking import reranker_preset
from tests.children.training_setup import events, groups, new_run, prepared
from tunewiz.backends.engines.flag_embedding.flag_training import FlagReranking
from tunewiz.backends.runs.events import Progress
from tunewiz.backends.training.reranker_training import RerankerTraining
from tunewiz.backends.training.trainer import in_pieces
from tunewiz.presets.losses import rerankers

LOSSES = sorted({*rerankers()} - {"cached_multiple_negatives_ranking"})


@pytest.fixture(scope="module")
def steady(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny encoder without dropout, so that the order of the pieces draws nothing."""
    folder = shutil.copytree(tiny_encoder, tmp_path_factory.mktemp("steady") / "model")
    for file in folder.rglob("config.json"):
        config = json.loads(file.read_text("utf-8"))
        if "hidden_dropout_prob" in config:
            changed = config | {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
            file.write_text(json.dumps(changed), "utf-8")
    return folder


def losses(folder: Path, model: Path, loss: Mapping[str, Any]) -> list[float]:
    """Of four steps on rows with three wrong documents each."""
    backend = "flag_embedding" if loss["name"] == "group_softmax" else "cross_encoder"
    wanted = reranker_preset(model, folder, loss=loss, backend=backend, training={"max_steps": 4})
    run = new_run(folder, f"{loss['name']}-{loss.get('mini_batch_size')}")
    kind = FlagReranking if backend == "flag_embedding" else RerankerTraining
    kind(run, wanted, prepared(groups(3)), model).start()
    return [told.values["loss"] for told in events(run) if isinstance(told, Progress) and "loss" in told.values]


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_the_same_in_pieces(name: str, steady: Path, tmp_path: Path) -> None:
    whole, pieces = (losses(tmp_path, steady, {"name": name, **more}) for more in ({}, {"mini_batch_size": 3}))
    assert len(whole) == 4 and len(set(whole)) > 1
    assert pieces == pytest.approx(whole, abs=1e-5)


def test_the_second_pass_drops_out_what_the_first_did(tiny_encoder: Path, tmp_path: Path) -> None:
    """Pieces of 16 are those of every training on a CPU: gone through again, they learn the same to the last bit."""
    once, again = (
        losses(tmp_path, tiny_encoder, {"name": "cross_entropy", **more}) for more in ({}, {"mini_batch_size": 16})
    )
    assert again == once


def test_a_piece_is_all_that_is_kept(tiny_encoder: Path) -> None:
    import torch
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(str(tiny_encoder), device="cpu", num_labels=1).train()
    features = model.preprocess([("how do i train the model", "to train the model " * 6)] * 32)
    kept = []
    for again in (False, True):
        bytes_kept = 0

        def packed(tensor: Any) -> Any:
            nonlocal bytes_kept
            bytes_kept += tensor.nbytes
            return tensor

        with in_pieces(model, 4, "scores", again), torch.autograd.graph.saved_tensors_hooks(packed, lambda one: one):
            held = model(dict(features))["scores"]
        assert held.requires_grad
        kept.append(bytes_kept)
    assert kept[1] < kept[0] / 50
