"""FlagEmbedding's own training code on tiny models: it learns, resumes, distils, and leaves what everybody loads.

What such a run leaves: the vectors of the library's own inference, and the numbers they make.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.children.evaluation import STAGES, fresh_run, preset_for, write_beir
from tests.children.test_training import CHECKPOINTED, LORA, changed, logged, losses_of, weights
from tests.children.training_setup import events, groups, new_run, prepared, preset
from tests.children.training_setup import train as train_with_sentence_transformers
from tests.conftest import word_pieces
from tunewiz.backends.engines.flag_embedding import FlagEmbedding
from tunewiz.backends.engines.flag_embedding.flag_models import COLBERT, SPARSE
from tunewiz.backends.engines.flag_embedding.flag_training import LINES, FlagTraining
from tunewiz.backends.engines.flag_embedding.m3_search import WAYS
from tunewiz.backends.evaluate.metrics import read_run
from tunewiz.backends.models.loading import load_encoder
from tunewiz.backends.runs.checkpoints import newest
from tunewiz.backends.runs.events import Evaluated, Noticed
from tunewiz.backends.runs.run import Run, StopRequested
from tunewiz.data.retrieval.prepared import Prepared, load
from tunewiz.problems import BadPreset

# FlagEmbedding's own training code on tiny models: it learns, resumes, distils, and leaves what everybody loads.


INFO_NCE = {"name": "info_nce", "temperature": 0.05}
M3 = {"name": "m3_unified", "temperature": 0.05}


def flag_preset(model: Path, loss: Any = INFO_NCE, /, **sections: Any) -> Any:
    return preset(model, loss, **sections).model_copy(update={"backend": "flag_embedding"})


def train(run: Run, wanted: Any, rows: Prepared) -> Path:
    return FlagTraining(run, wanted, rows, Path(wanted.model.id)).start()


def taught() -> Prepared:
    """Groups whose teacher knows the right passage and likes the first wrong one too."""
    scores = (0.6, 0.1, 0.0)
    return prepared([replace(group, positive_scores=(1.0,), negative_scores=scores) for group in groups(3)])


@pytest.mark.parametrize(
    "loss",
    [
        INFO_NCE,
        INFO_NCE | {"group_size": 2},
        INFO_NCE | {"batch_negatives": False},
        INFO_NCE | {"distillation": "kl_div"},
        INFO_NCE | {"distillation": "m3_kd_loss"},
        INFO_NCE | {"dimensions": [32, 16]},
        M3,
        M3 | {"distillation": "m3_kd_loss"},
        M3 | {"freeze_encoder": True, "self_distillation": False},
    ],
    ids=str,
)
def test_it_learns(loss: Any, tiny_encoder: Path, tmp_path: Path) -> None:
    run, wanted = new_run(tmp_path), flag_preset(tiny_encoder, loss, training={"max_steps": 30, "learning_rate": 2e-3})
    tuned = train(run, wanted, taught())
    found = losses_of(run)
    assert len(found) == 30
    assert sum(found[-5:]) < sum(found[:5])
    margins = [event.values["margin"] for event in logged(run)]
    assert bool(loss.get("freeze_encoder")) or sum(margins[-5:]) > sum(margins[:5])
    moved = changed(weights(tuned, wanted), weights(tiny_encoder, wanted))
    assert bool(moved) != bool(loss.get("freeze_encoder"))
    assert all((tuned / name).is_file() == (loss["name"] == "m3_unified") for name in (COLBERT, SPARSE))


@pytest.mark.parametrize(
    ("method", "loss"),
    [
        pytest.param({"type": "full"}, M3, id="full-m3"),
        pytest.param(LORA, INFO_NCE, id="lora-info_nce"),
        pytest.param({"type": "full"}, INFO_NCE, id="full-info_nce", marks=pytest.mark.torture),
        pytest.param(LORA, M3, id="lora-m3", marks=pytest.mark.torture),
    ],
)
def test_stop_then_resume_ends_like_one_run(loss: Any, method: Any, tiny_encoder: Path, tmp_path: Path) -> None:
    """Five steps an epoch, one of three negatives drawn anew in each: the stop is in the middle of the second."""
    training = {"max_steps": 10, "evaluations": 1}
    wanted = flag_preset(tiny_encoder, loss | {"group_size": 2}, method=method, training=training)
    whole, parts = new_run(tmp_path, "whole"), new_run(tmp_path, "parts")
    expected = train(whole, wanted, taught())
    with pytest.MonkeyPatch.context() as patch:
        seen = iter(range(1, 100))
        patch.setattr(type(parts), "stop_requested", lambda self: next(seen) >= 7)
        with pytest.raises(StopRequested):
            train(parts, wanted, taught())
    saved = newest(parts.checkpoints)
    assert saved is not None and saved.name == "checkpoint-7"
    tuned = train(parts, wanted, taught())
    assert losses_of(parts) == losses_of(whole)
    assert not changed(weights(tuned, wanted), weights(expected, wanted))
    for name in (COLBERT, SPARSE):
        assert loss["name"] == "info_nce" or (tuned / name).read_bytes() == (expected / name).read_bytes()


@pytest.mark.parametrize(
    "training",
    [{"gradient_checkpointing": True}, {"accumulation": 2}, {"workers": 1}, {"precision": "bf16"}],
    ids=lambda training: next(iter(training)),
)
@pytest.mark.parametrize("loss", [INFO_NCE, M3], ids=["info_nce", "m3"])
def test_options_train(loss: Any, training: Any, tiny_encoder: Path, tmp_path: Path) -> None:
    run, wanted = new_run(tmp_path), flag_preset(tiny_encoder, loss, training=training)
    train(run, wanted, prepared(groups(2)))
    assert len(losses_of(run)) == 2
    assert not (run.checkpoints / "rows").exists()


def test_the_teacher_is_listened_to(tiny_encoder: Path, tmp_path: Path) -> None:
    """The wrong passage that the teacher likes ends nearer to the query than without the teacher."""
    near = []
    for kind in ("none", "kl_div"):
        run = new_run(tmp_path, kind)
        loss = INFO_NCE | {"distillation": kind}
        wanted = flag_preset(tiny_encoder, loss, training={"max_steps": 40, "learning_rate": 2e-3})
        model, rows = load_encoder(train(run, wanted, taught()), wanted), taught().groups
        asked, liked = model.encode([row.query for row in rows]), model.encode([row.negatives[0] for row in rows])
        near.append(float((asked * liked).sum(axis=1).mean()))
    assert near[1] > near[0] + 0.1


def test_lines_are_what_the_library_reads(tiny_encoder: Path, tmp_path: Path) -> None:
    rows = [*groups(3)[:30], *[replace(group, instruction="answer: ") for group in groups(1)[30:]]]
    run, wanted = new_run(tmp_path), flag_preset(tiny_encoder, INFO_NCE)
    train(run, wanted, prepared(rows))
    lines = [json.loads(line) for line in (run.data / LINES).read_text("utf-8").splitlines()]
    assert {tuple(line) for line in lines} == {("query", "pos", "neg", "prompt")}
    assert all(len(line["neg"]) == 3 and not set(line["neg"]) & set(line["pos"]) for line in lines)
    assert [line["prompt"] for line in lines[29:31]] == ["", "answer: "]
    codes = {event.problem["code"] for event in events(run) if isinstance(event, Noticed)}
    assert {"group-size", "negatives-filled"} <= codes


def test_validation_measures_and_picks(tiny_encoder: Path, tmp_path: Path) -> None:
    run, wanted = new_run(tmp_path), flag_preset(tiny_encoder, INFO_NCE, training=CHECKPOINTED)
    train(run, wanted, prepared(groups(2)[8:], groups()[:8]))
    measured = [event for event in events(run) if isinstance(event, Evaluated)]
    assert [event.step for event in measured] == [0, 2, 4, 6]
    assert "best-checkpoint" in {event.problem["code"] for event in events(run) if isinstance(event, Noticed)}


@pytest.mark.parametrize(
    ("loss", "rows", "code"),
    [
        (INFO_NCE | {"group_size": 8}, prepared(groups(3)), "group-too-large"),
        (INFO_NCE | {"distillation": "kl_div"}, prepared(groups(3)), "teacher-scores-missing"),
        (INFO_NCE | {"dimensions": [64]}, prepared(groups(3)), "matryoshka-dimensions"),
    ],
)
def test_what_cannot_be_is_said(loss: Any, rows: Prepared, code: str, tiny_encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadPreset) as caught:
        train(new_run(tmp_path), flag_preset(tiny_encoder, loss), rows)
    assert [problem.code for problem in caught.value.problems] == [code]


def test_no_token_reaches_the_log(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    caplog.set_level("INFO")
    train(new_run(tmp_path), flag_preset(tiny_encoder), prepared(groups(1)))
    assert "Model parameters" in caplog.text
    assert "hf_secret" not in caplog.text


# What a run with FlagEmbedding leaves: the vectors of the library's own inference, and the numbers they make.


PROBE = ["how do i check gpu memory", "text search", "a"]


@pytest.fixture(scope="module")
def tiny_decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Qwen3 (2 layers of 32) that embeds by its last token."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import Qwen3Config, Qwen3Model

    torch.manual_seed(0)
    folder, tokenizer = tmp_path_factory.mktemp("tiny-decoder"), word_pieces()
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
    Qwen3Model(config).save_pretrained(folder / "backbone")
    tokenizer.save_pretrained(folder / "backbone")
    modules = [Transformer(str(folder / "backbone"), max_seq_length=64), Pooling(32, "lasttoken"), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(folder / "model"), create_model_card=False)
    return folder / "model"


def run_through(tmp_path: Path, model: Path, loss: Any, /, **changes: Any) -> tuple[Any, Any]:
    settings: dict[str, Any] = {"loss": loss, "backend": "flag_embedding"}
    settings |= {"training": {"max_length": 48, "batch_size": 4, "max_steps": 4, "learning_rate": 1e-3}}
    wanted = preset_for(model, write_beir(tmp_path / "beir"), **settings | changes)
    run = fresh_run(tmp_path / "run", wanted)
    for stage in STAGES:
        getattr(FlagEmbedding(), stage)(run, wanted)
    return run, wanted


def ndcg(queries: Any, documents: Any, collection: Any, k: int) -> float:
    """Mean nDCG@k by pytrec_eval of the rankings these unit vectors make."""
    import pytrec_eval

    scores = queries @ documents.T
    found = {
        query: dict(zip(collection.corpus, map(float, row), strict=True))
        for query, row in zip(collection.queries, scores, strict=True)
    }
    judged = {query: dict(grades) for query, grades in collection.qrels.items()}
    measured = pytrec_eval.RelevanceEvaluator(judged, {f"ndcg_cut.{k}"}).evaluate(found)
    return float(np.mean([values[f"ndcg_cut_{k}"] for values in measured.values()]))


def test_vectors_and_numbers_are_the_librarys_own(tmp_path: Path, tiny_encoder: Path) -> None:
    from FlagEmbedding import FlagModel
    from sentence_transformers import SentenceTransformer

    run, _ = run_through(tmp_path, tiny_encoder, INFO_NCE | {"group_size": 1})
    theirs = FlagModel(
        str(run.model), pooling_method="mean", query_instruction_for_retrieval="search: ", use_fp16=False, devices="cpu"
    )
    ours = SentenceTransformer(str(run.model), device="cpu")
    assert np.abs(theirs.encode_queries(PROBE) - ours.encode_query(PROBE)).max() < 1e-5
    assert np.abs(theirs.encode_corpus(PROBE) - ours.encode_document(PROBE)).max() < 1e-5
    collection = load(run.data).evaluation
    queries = theirs.encode_queries(list(collection.queries.values()))
    documents = theirs.encode_corpus([document.full for document in collection.corpus.values()])
    told = json.loads((run.report / "after.json").read_text("utf-8"))["metrics"]["ndcg@3"]
    assert ndcg(queries, documents, collection, 3) == pytest.approx(told, abs=1e-6)


@pytest.mark.parametrize("method", [{"type": "full"}, LORA], ids=["full", "lora"])
def test_m3_is_exported_whole_and_scores_as_the_librarys_inference(
    method: Any, tmp_path: Path, tiny_encoder: Path
) -> None:
    from FlagEmbedding import BGEM3FlagModel

    run, wanted_preset = run_through(tmp_path, tiny_encoder, M3, method=method)
    assert all((run.model / name).is_file() for name in (COLBERT, SPARSE))
    model = BGEM3FlagModel(str(run.model), pooling_method="mean", use_fp16=False, devices="cpu")
    probed = model.encode(PROBE, return_dense=True, return_sparse=True, return_colbert_vecs=True)
    assert np.abs(probed["dense_vecs"] - load_encoder(run.model).encode(PROBE)).max() < 1e-5
    assert len(probed["colbert_vecs"]) == len(probed["lexical_weights"]) == 3
    collection = load(run.data).evaluation
    wanted = {"return_dense": True, "return_sparse": True, "return_colbert_vecs": True}
    asked = model.encode([f"search: {text}" for text in collection.queries.values()], **wanted)
    read = model.encode([document.full for document in collection.corpus.values()], **wanted)
    found = {way: read_run(run.report / f"{way}.after.run.tsv") for way in WAYS}
    assert not (run.report / "sparse.before.json").exists()  # the untouched model has no heads
    for place, query in enumerate(collection.queries):
        for number, document in enumerate(collection.corpus):
            dense = float(asked["dense_vecs"][place] @ read["dense_vecs"][number])
            sparse = float(model.compute_lexical_matching_score(asked["lexical_weights"][place],
                                                                read["lexical_weights"][number]))  # fmt: skip
            late = float(model.colbert_score(asked["colbert_vecs"][place], read["colbert_vecs"][number]))
            theirs = {"sparse": sparse, "multi_vector": late, "all": dense + 0.3 * sparse + late}
            for way, score in theirs.items():
                ours = dict(found[way][query])
                if document in ours:
                    assert ours[document] == pytest.approx(score, abs=1e-4), (way, query, document)
    FlagEmbedding().report(run, wanted_preset)
    report = (run.report / "report.md").read_text("utf-8")
    assert "token vectors (multi-vector)" in report


@pytest.mark.parametrize("method", [{"type": "full"}, LORA], ids=["full", "lora"])
def test_a_decoder_is_tuned_too(method: Any, tmp_path: Path, tiny_decoder: Path) -> None:
    wanted = flag_preset(tiny_decoder, method=method, training={"max_steps": 30, "learning_rate": 2e-3})
    run = new_run(tmp_path)
    tuned = train(run, wanted, prepared(groups(2)))
    found = losses_of(run)
    assert sum(found[-5:]) < sum(found[:5])
    moved = changed(weights(tuned, wanted), weights(tiny_decoder, wanted))
    assert moved and (method is not LORA or all("lora_" in name for name in moved if "base_layer" not in name))


def test_a_decoders_vectors_are_the_librarys_own(tmp_path: Path, tiny_decoder: Path) -> None:
    from FlagEmbedding import FlagLLMModel

    run, _ = run_through(tmp_path, tiny_decoder, INFO_NCE, method=LORA)
    theirs = FlagLLMModel(
        str(run.model),
        query_instruction_for_retrieval="search: ",
        query_instruction_format="{}{}",
        use_fp16=False,
        devices="cpu",
    )
    ours = load_encoder(run.model)
    assert np.abs(theirs.encode_queries(PROBE) - ours.encode(PROBE, prompt="search: ")).max() < 1e-5


def test_the_same_batches_give_the_loss_of_sentence_transformers(tmp_path: Path, tiny_encoder: Path) -> None:
    """InfoNCE at temperature 0.05 is MultipleNegativesRanking at scale 20: both learn the same, step by step."""
    import shutil

    model = tmp_path / "model"
    shutil.copytree(tiny_encoder, model)
    settings = json.loads((model / "config.json").read_text("utf-8"))
    still = settings | {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (model / "config.json").write_text(json.dumps(still), "utf-8")
    training = {"max_steps": 10, "precision": "fp32"}
    theirs, ours = new_run(tmp_path, "flag"), new_run(tmp_path, "st")
    train(theirs, flag_preset(model, INFO_NCE, training=training), prepared(groups(2)))
    train_with_sentence_transformers(ours, preset(model, training=training), prepared(groups(2)))
    assert losses_of(theirs) == pytest.approx(losses_of(ours), abs=2e-3)
