"""Measuring: equal to pytrec_eval over the library's own vectors, whatever the path of encoding, and the file left."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytrec_eval

from tests.bench.mining_speed import static_model
from tests.children.evaluation import TOPICS, events, fresh_run, go_through, preset_for, write_beir
from tunewiz.backends.evaluate import MetricOptions, catalogue, full_search
from tunewiz.backends.evaluate.full_search import Retrieval
from tunewiz.backends.evaluate.measuring import MeasureOptions, measure
from tunewiz.backends.evaluate.metrics import read_run
from tunewiz.backends.evaluate.two_stage import TwoStage, embedder
from tunewiz.backends.models import encoding
from tunewiz.backends.models.batching import EncodeOptions
from tunewiz.backends.models.encoding import SearchEncoder, encode, fingerprint
from tunewiz.backends.models.loading import load_encoder, prompts
from tunewiz.backends.models.packing import available, packed_linear_layers
from tunewiz.backends.runs.events import Evaluated, Progress
from tunewiz.backends.runs.run import StopRequested
from tunewiz.data.rows.examples import Collection, Document
from tunewiz.problems import BadData

# Encoding: the same vectors as the library's, whatever the path.


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
    found = encode(model, given, "search: ", EncodeOptions(tokens=tokens, most=7))
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
    exact, rounded = encode(model, given), encode(model, given, options=EncodeOptions("bf16"))
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
        encode(model, texts(80), options=EncodeOptions(tokens=64), check_stop=stop)
    assert {name: type(module) for name, module in model.named_modules()} == before
    assert torch.get_num_threads() == threads


def test_packed_layers_compute_the_same_and_go_away(model: Any) -> None:
    if not available():
        pytest.skip("this CPU or PyTorch packs nothing")
    given = texts(10)
    expected = model.encode(given)
    with packed_linear_layers(model) as count:
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


def test_a_static_model_is_asked_at_once_and_gives_the_librarys_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """It adds up a vector a word; the library looks at each text first, which takes longer."""
    model = static_model(sorted({word for text in texts(60) for word in text.split()}))
    given = ["an unknown word", *texts(60)]
    expected = model.encode(given, prompt="gpu ", normalize_embeddings=True)
    asked, original = [], model.encode
    monkeypatch.setattr(model, "encode", lambda some, **told: asked.extend(some) or original(some, **told))
    assert np.abs(encode(model, given, "gpu ") - expected).max() < 1e-6
    assert len(asked) == 3, "the library is asked about a few texts, to compare"


def test_vectors_are_kept_by_model_and_text(model: Any, tiny_encoder: Path, tmp_path: Path) -> None:
    mark = fingerprint(tiny_encoder)
    seen: list[int] = []
    encoder = SearchEncoder(model, cache=tmp_path, fingerprint=mark, progress=lambda done, total: seen.append(total))
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


# Measuring: equal to pytrec_eval over the library's own vectors, and to the file that is left.


MEASURES = {"ndcg@3": "ndcg_cut_3", "recall@3": "recall_3", "map@100": "map_cut_100", "ndcg@1": "ndcg_cut_1"}


def test_evaluators_are_found_by_file() -> None:
    assert catalogue() == {"retrieval": Retrieval, "two_stage": TwoStage}


@pytest.fixture(scope="module")
def beir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_beir(tmp_path_factory.mktemp("data") / "beir")


def by_the_library(model: Path, folder: Path, prompt: str) -> dict[str, dict[str, float]]:
    """Each query's numbers from plain encode, a matrix product and pytrec_eval."""
    from sentence_transformers import SentenceTransformer

    encoder = SentenceTransformer(str(model), device="cpu")
    encoder.max_seq_length = 48
    corpus = [json.loads(line) for line in (folder / "corpus.jsonl").read_text("utf-8").splitlines()]
    texts = {row["_id"]: row["text"] for row in map(json.loads, (folder / "queries.jsonl").read_text().splitlines())}
    qrels: dict[str, dict[str, int]] = {}
    for line in (folder / "qrels" / "test.tsv").read_text("utf-8").splitlines()[1:]:
        query, document, grade = line.split("\t")
        qrels.setdefault(query, {})[document] = int(grade)
    queries = encoder.encode([texts[name] for name in qrels], prompt=prompt, normalize_embeddings=True)
    documents = encoder.encode([f"{row['title']} {row['text']}" for row in corpus], normalize_embeddings=True)
    scores = queries @ documents.T
    run = {
        name: {row["_id"]: float(scores[place, column]) for column, row in enumerate(corpus)}
        for place, name in enumerate(qrels)
    }
    evaluator = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.1,3", "recall.3", "map_cut.100"})
    found: dict[str, dict[str, float]] = evaluator.evaluate(run)
    return found


def test_the_baseline_equals_pytrec_eval_on_the_untouched_model(tiny_encoder: Path, beir: Path, tmp_path: Path) -> None:
    preset = preset_for(tiny_encoder, beir)
    run = fresh_run(tmp_path / "run", preset)
    go_through(run, preset, ("prepare", "baseline"))
    record = json.loads((run.report / "before.json").read_text("utf-8"))
    expected = by_the_library(tiny_encoder, beir, "search: ")
    assert record["queries"] == len(expected) == 16
    for ours, theirs in MEASURES.items():
        for query, values in expected.items():
            assert record["per_query"][query][ours] == pytest.approx(values[theirs], abs=1e-6), (query, ours)
        mean = np.mean([values[theirs] for values in expected.values()])
        assert record["metrics"][ours] == pytest.approx(mean, abs=1e-6)
    told = [event for event in events(run) if isinstance(event, Evaluated)]
    assert [event.when for event in told] == ["before"]
    assert told[0].metrics == record["metrics"]
    assert any(isinstance(event, Progress) and event.stage == "baseline" for event in events(run))


def test_the_file_left_gives_the_same_numbers(tiny_encoder: Path, beir: Path, tmp_path: Path) -> None:
    preset = preset_for(tiny_encoder, beir)
    run = fresh_run(tmp_path / "run", preset)
    go_through(run, preset, ("prepare", "baseline"))
    rankings = {name: dict(found) for name, found in read_run(run.report / "before.run.tsv").items()}
    qrels: dict[str, dict[str, int]] = {}
    for line in (run.data / "qrels.tsv").read_text("utf-8").splitlines()[1:]:
        query, document, grade = line.split("\t")
        qrels.setdefault(query, {})[document] = int(grade)
    again = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.3"}).evaluate(rankings)
    record = json.loads((run.report / "before.json").read_text("utf-8"))
    assert {name: values["ndcg_cut_3"] for name, values in again.items()} == {
        name: values["ndcg@3"] for name, values in record["per_query"].items()
    }


def collection(**changes: Any) -> Collection:
    corpus = {"a": Document("gpu memory"), "b": Document("disk port"), "c": Document("gpu memory")}
    settings = {"corpus": corpus, "queries": {"1": "gpu", "2": "disk"}, "qrels": {"1": {"a": 1}, "2": {"b": 1}}}
    return Collection(**{**settings, **changes})


def test_a_model_outside_a_run_can_be_measured(tiny_encoder: Path) -> None:
    found = measure(tiny_encoder, collection(), MetricOptions((1,), ("recall@2",)))
    assert found.facts["documents"] == 3
    assert set(found.metrics) == {"recall@1", "mrr@1", "ndcg@1", "map@100", "recall@2"}
    scores = dict(found.rankings["1"])
    assert scores["a"] == scores["c"]  # the same text, whatever the order it was computed in
    assert found.facts["cosines"]["positive"]["count"] == 2


def test_a_first_stage_has_its_familys_instructions_unless_the_model_brings_its_own(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_encoder, tmp_path / "multilingual-e5-small")
    assert prompts(embedder(str(folder), MeasureOptions()).model) == ("query: ", "passage: ")
    settings = json.loads((folder / "config_sentence_transformers.json").read_text("utf-8"))
    settings["prompts"] = {"query": "find: ", "document": ""}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(settings), "utf-8")
    assert prompts(embedder(str(folder), MeasureOptions()).model) == ("find: ", "")


def test_queries_without_a_judgment_are_not_measured(tiny_encoder: Path) -> None:
    found = measure(tiny_encoder, collection(qrels={"1": {"a": 1}, "2": {"b": 0}}), MetricOptions())
    assert list(found.per_query) == ["1"]


def test_nothing_to_measure(tiny_encoder: Path) -> None:
    with pytest.raises(BadData, match="No query of the collection") as caught:
        measure(tiny_encoder, collection(qrels={"1": {"a": 0}}), MetricOptions())
    assert caught.value.problems[0].code == "nothing-to-measure"


def test_measuring_can_be_stopped(tiny_encoder: Path) -> None:
    def stop() -> None:
        raise StopRequested

    with pytest.raises(StopRequested):
        measure(tiny_encoder, collection(), MetricOptions(), options=MeasureOptions(check_stop=stop))


def test_rounding_what_cannot_matter_changes_no_number(tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not available():
        pytest.skip("this CPU or PyTorch packs nothing")
    words = " ".join(TOPICS).split()
    draw = random.Random(0)
    corpus = {f"d{place}": Document(" ".join(draw.choices(words, k=draw.randint(2, 12)))) for place in range(400)}
    queries = {f"q{place}": " ".join(draw.choices(words, k=3)) for place in range(4)}
    qrels = {name: {f"d{draw.randrange(400)}": grade for grade in (1, 2, 3)} for name in queries}
    given = Collection(corpus, queries, qrels)
    exact = measure(tiny_encoder, given, MetricOptions((1, 5)))
    assert exact.facts["exact_share"] == 1
    monkeypatch.setattr(full_search, "_can_round", lambda _: True)
    for name, value in {"LEAST": 50, "SAMPLE": 30, "_WORTH": -100.0, "_LARGEST": 1.0}.items():
        monkeypatch.setattr(full_search, name, value)
    rounded = measure(tiny_encoder, given, MetricOptions((1, 5)))
    assert rounded.per_query == exact.per_query
    assert rounded.facts["exact_share"] < 1
