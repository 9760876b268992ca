"""Rerankers by FlagEmbedding's own training code on a tiny model."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.children.evaluation import STAGES, fresh_run, write_beir
from tests.children.reranking import reranker_preset
from tests.children.test_training import LORA, changed, losses_of
from tests.children.training_setup import groups, prepared
from tests.conftest import word_pieces
from tunewiz.backends.engines.flag_embedding import FlagEmbedding
from tunewiz.backends.engines.flag_embedding.flag_training import FlagReranking
from tunewiz.backends.models.loading import load_reranker
from tunewiz.backends.runs.run import Run, StopRequested
from tunewiz.backends.training.reranker_training import RerankerTraining
from tunewiz.data.retrieval.prepared import Prepared
from tunewiz.data.rows.examples import ScoredPair
from tunewiz.problems import BadPreset

LOSS = {"name": "group_softmax"}
PAIRS = [["how do i check gpu memory", "gpu memory how the gpu memory data"], ["why", "disk port"], ["a", "b"]]


@pytest.fixture(scope="module")
def tiny_answerer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Qwen3 (2 layers of 32) that says yes or no."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    folder, tokenizer = tmp_path_factory.mktemp("tiny-answerer"), word_pieces()
    tokenizer.add_tokens(["yes", "no"])
    tokenizer.padding_side = "left"
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=16,
        intermediate_size=64,
    )
    Qwen3ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def flag_preset(model: Path, loss: Any = LOSS, /, **changes: Any) -> Any:
    return reranker_preset(model, Path("rows.jsonl"), loss=loss, backend="flag_embedding", **changes)


def train(run: Run, wanted: Any, rows: Prepared) -> Path:
    return FlagReranking(run, wanted, rows, Path(wanted.model.id)).start()


def weights(folder: Path) -> dict[str, Any]:
    return {name: value.clone() for name, value in load_reranker(folder).state_dict().items()}


def taught() -> Prepared:
    """Groups with a teacher, whose wrong documents have a word that right ones lack."""
    scores = (2.0, -3.0, -4.0)
    rows = [replace(group, negatives=tuple(f"error {text}" for text in group.negatives)) for group in groups(3)]
    return prepared([replace(row, positive_scores=(4.0,), negative_scores=scores) for row in rows])


@pytest.mark.parametrize("loss", [LOSS, LOSS | {"group_size": 2}, LOSS | {"distillation": "kl_div"}], ids=str)
@pytest.mark.parametrize("method", [{"type": "full"}, LORA], ids=["full", "lora"])
def test_it_learns(loss: Any, method: Any, tiny_encoder: Path, tmp_path: Path) -> None:
    """Batches of 12 of 40 rows: the last one of an epoch is short."""
    training = {"max_steps": 40, "learning_rate": 3e-3, "batch_size": 12}
    wanted = flag_preset(tiny_encoder, loss, method=method, training=training)
    run = fresh_run(tmp_path / "run", wanted)
    train(run, wanted, taught())
    found = losses_of(run)
    assert sum(found[-8:]) < sum(found[:8])


def test_stop_then_resume_ends_like_one_run(tiny_encoder: Path, tmp_path: Path) -> None:
    wanted = flag_preset(tiny_encoder, LOSS | {"group_size": 2}, training={"max_steps": 10, "evaluations": 1})
    whole, parts = (fresh_run(tmp_path / name, wanted) for name in ("whole", "parts"))
    expected = train(whole, wanted, prepared(groups(3)))
    with pytest.MonkeyPatch.context() as patch:
        seen = iter(range(1, 100))
        patch.setattr(type(parts), "stop_requested", lambda self: next(seen) >= 7)
        with pytest.raises(StopRequested):
            train(parts, wanted, prepared(groups(3)))
    tuned = train(parts, wanted, prepared(groups(3)))
    assert losses_of(parts) == losses_of(whole)
    assert not changed(weights(tuned), weights(expected))


def test_the_same_batches_give_the_loss_of_sentence_transformers(tiny_encoder: Path, tmp_path: Path) -> None:
    """A softmax over the group is the loss both libraries compute: step by step the same."""
    model = tmp_path / "model"
    shutil.copytree(tiny_encoder, model)
    settings = json.loads((model / "config.json").read_text("utf-8"))
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "classifier_dropout": 0.0}
    (model / "config.json").write_text(json.dumps(settings | still), "utf-8")
    training = {"max_steps": 5, "precision": "fp32", "group_by_length": False}
    theirs = flag_preset(model, training=training)
    ours = reranker_preset(model, Path("rows.jsonl"), loss="cross_entropy", training=training)
    runs = [fresh_run(tmp_path / name, wanted) for name, wanted in (("flag", theirs), ("st", ours))]
    train(runs[0], theirs, prepared(groups(2)))
    RerankerTraining(runs[1], ours, prepared(groups(2)), model).start()
    assert losses_of(runs[0])[0] == pytest.approx(losses_of(runs[1])[0], abs=2e-2)


def test_a_run_leaves_what_both_libraries_load(tiny_encoder: Path, tmp_path: Path) -> None:
    from FlagEmbedding import FlagReranker
    from sentence_transformers import CrossEncoder

    wanted = reranker_preset(tiny_encoder, write_beir(tmp_path / "beir"), loss=LOSS, backend="flag_embedding")
    run, backend = fresh_run(tmp_path / "run", wanted), FlagEmbedding()
    for stage in STAGES:
        getattr(backend, stage)(run, wanted)
    assert backend.report(run, wanted) in ("WIN", "MARGINAL", "UNPROVEN", "REGRESSION", "NONE")
    ours = CrossEncoder(str(run.model), device="cpu", local_files_only=True)
    theirs = FlagReranker(str(run.model), use_fp16=False, devices="cpu")
    assert np.abs(np.array(theirs.compute_score(PAIRS)) - ours.predict(PAIRS)).max() < 1e-4
    assert (run.report / "after.json").is_file() and (run.report / "search.json").is_file()


@pytest.mark.parametrize("method", [{"type": "full"}, LORA], ids=["full", "lora"])
def test_a_language_model_learns_to_say_yes(method: Any, tiny_answerer: Path, tmp_path: Path) -> None:
    from sentence_transformers import CrossEncoder

    data = write_beir(tmp_path / "beir")
    training = {"max_steps": 20, "learning_rate": 5e-3, "batch_size": 4}
    wanted = reranker_preset(tiny_answerer, data, loss=LOSS, backend="flag_embedding", method=method, training=training)
    run, backend = fresh_run(tmp_path / "run", wanted), FlagEmbedding()
    for stage in STAGES:
        getattr(backend, stage)(run, wanted)
    found = losses_of(run)
    assert sum(found[-5:]) < sum(found[:5])
    before, after = (
        CrossEncoder(str(folder), device="cpu", local_files_only=True).predict(PAIRS)
        for folder in (tiny_answerer, run.model)
    )
    assert np.abs(before - after).max() > 1e-3


def test_marked_pairs_become_groups(tiny_encoder: Path, tmp_path: Path) -> None:
    pairs = [
        ScoredPair(group.query, text, mark)
        for group in groups(2)
        for text, mark in ((group.positives[0], 1.0), *((text, 0.0) for text in group.negatives))
    ]
    wanted = flag_preset(tiny_encoder)
    run = fresh_run(tmp_path / "run", wanted)
    train(run, wanted, prepared(pairs=pairs))
    assert losses_of(run)


def test_too_few_negatives_are_said(tiny_encoder: Path, tmp_path: Path) -> None:
    wanted = flag_preset(tiny_encoder, LOSS | {"group_size": 8})
    with pytest.raises(BadPreset) as caught:
        train(fresh_run(tmp_path / "run", wanted), wanted, prepared(groups(3)))
    assert [problem.code for problem in caught.value.problems] == ["group-too-large"]
