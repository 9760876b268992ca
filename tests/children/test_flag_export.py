"""What a run with FlagEmbedding leaves: the vectors of the library's own inference, and the numbers they make."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.evaluators.ranking import read_run
from backends.flag_embedding import FlagEmbedding
from backends.flag_embedding.models import COLBERT, SPARSE
from backends.flag_embedding.ways import WAYS
from backends.loading import load_encoder
from data.prepared import load
from tests.children.evaluation import STAGES, fresh_run, preset_for, write_beir
from tests.children.test_flag_embedding import INFO_NCE, M3, flag_preset, train
from tests.children.test_training import LORA, changed, losses_of, weights
from tests.children.training_setup import groups, new_run, prepared, preset
from tests.children.training_setup import train as train_with_sentence_transformers
from tests.conftest import word_pieces

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


def test_m3_is_exported_whole(tmp_path: Path, tiny_encoder: Path) -> None:
    from FlagEmbedding import BGEM3FlagModel

    run, _ = run_through(tmp_path, tiny_encoder, M3)
    assert all((run.model / name).is_file() for name in (COLBERT, SPARSE))
    model = BGEM3FlagModel(str(run.model), pooling_method="mean", use_fp16=False, devices="cpu")
    found = model.encode(PROBE, return_dense=True, return_sparse=True, return_colbert_vecs=True)
    assert np.abs(found["dense_vecs"] - load_encoder(run.model).encode(PROBE)).max() < 1e-5
    assert len(found["colbert_vecs"]) == len(found["lexical_weights"]) == 3


@pytest.mark.parametrize("method", [{"type": "full"}, LORA], ids=["full", "lora"])
def test_m3s_other_ways_score_as_the_librarys_inference(method: Any, tmp_path: Path, tiny_encoder: Path) -> None:
    from FlagEmbedding import BGEM3FlagModel

    run, wanted_preset = run_through(tmp_path, tiny_encoder, M3, method=method)
    model = BGEM3FlagModel(str(run.model), pooling_method="mean", use_fp16=False, devices="cpu")
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
