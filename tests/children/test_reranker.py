"""Rerankers on a tiny model with the real library: two stages measured, every loss, LoRA, stopping, export."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytrec_eval

from tests.children.evaluation import advised, events, fresh_run, write_beir
from tests.children.reranking import go_through, reranker_preset
from tests.children.training_setup import groups
from tunewiz.backends.evaluate.metrics import read_run
from tunewiz.backends.models.reranking import Reranker, rerank
from tunewiz.backends.reports.metrics_file import MetricsFile
from tunewiz.backends.runs.events import Evaluated, Noticed, Progress
from tunewiz.backends.runs.run import Run, StopRequested
from tunewiz.backends.training.reranker_training import RerankerTraining
from tunewiz.backends.trying.trials import RerankerTrial
from tunewiz.data.retrieval.prepared import Prepared, load
from tunewiz.data.rows.examples import ScoredPair
from tunewiz.presets.losses import catalogue, trained_by
from tunewiz.presets.losses.loss import RerankerLoss
from tunewiz.presets.tasks.reranker import RerankerPreset
from tunewiz.presets.yaml.library import load as load_preset

LORA = {"type": "lora", "rank": 4, "alpha": 8, "dropout": 0.0}
MEASURES = {"ndcg@3": "ndcg_cut_3", "recall@3": "recall_3", "map@100": "map_cut_100"}
PAIRS = [["how do i check gpu memory", "gpu memory how the gpu memory data"], ["why", "disk port"], ["a", "b"]]


def library(folder: Path) -> Any:
    """The model as a user loads it: by its path and nothing else."""
    from sentence_transformers import CrossEncoder

    return CrossEncoder(str(folder), device="cpu", local_files_only=True)


@pytest.fixture(scope="module")
def beir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_beir(tmp_path_factory.mktemp("reranker") / "beir")


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, beir: Path, tiny_encoder: Path) -> Run:
    """A run from an encoder with a fresh head to its report."""
    preset = reranker_preset(tiny_encoder, beir)
    run = fresh_run(tmp_path_factory.mktemp("reranker") / "run", preset)
    go_through(run, preset)
    return run


def recomputed(run: Run, name: str) -> dict[str, float]:
    """Means that pytrec_eval computes from the ranking beside the report."""
    lines = (run.data / "qrels.tsv").read_text("utf-8").splitlines()[1:]
    qrels: dict[str, dict[str, int]] = {}
    for query, document, grade in (line.split("\t") for line in lines):
        qrels.setdefault(query, {})[document] = int(grade)
    rankings = {query: dict(found) for query, found in read_run(run.report / f"{name}.run.tsv").items()}
    values = pytrec_eval.RelevanceEvaluator(qrels, set(MEASURES.values())).evaluate(rankings)
    return {ours: float(np.mean([row[theirs] for row in values.values()])) for ours, theirs in MEASURES.items()}


@pytest.mark.parametrize("name", ["search", "after"])
def test_each_number_is_pytrec_evals(ended: Run, name: str) -> None:
    told = json.loads((ended.report / f"{name}.json").read_text("utf-8"))
    assert recomputed(ended, name) == pytest.approx({key: told["metrics"][key] for key in MEASURES}, abs=1e-12)
    assert told["milliseconds"]["median"] > 0


def test_the_reranker_orders_what_the_search_found_and_nothing_else(ended: Run) -> None:
    found, ordered = (read_run(ended.report / f"{name}.run.tsv") for name in ("search", "after"))
    assert {query: {key for key, _ in ranking} for query, ranking in found.items()} == {
        query: {key for key, _ in ranking} for query, ranking in ordered.items()
    }
    ceiling = json.loads((ended.report / "search.json").read_text("utf-8"))["ceiling"]
    assert json.loads((ended.report / "after.json").read_text("utf-8"))["metrics"]["recall@3"] <= ceiling <= 1


def test_a_fresh_head_is_compared_with_search_alone(ended: Run) -> None:
    codes = {event.problem["code"] for event in events(ended) if isinstance(event, Noticed)}
    assert {"fresh-head", "negatives-mined"} <= codes
    metrics = json.loads((ended.report / "metrics.json").read_text("utf-8"))
    assert metrics["compared_with"] == "search"
    assert set(metrics["systems"]) == {"search", "after"}
    report = (ended.report / "report.md").read_text("utf-8")
    assert "search alone" in report
    if metrics["verdict"] == "REGRESSION":
        assert "makes the search worse" in report
    written, known = advised(ended)
    assert written == known != []


def test_the_exported_model_loads_by_path_and_serves(ended: Run) -> None:
    import torch

    model = library(ended.model)
    assert isinstance(model.activation_fn, torch.nn.Sigmoid)
    scores = model.predict(PAIRS)
    assert ((scores > 0) & (scores < 1)).all()
    documents = [text for _, text in PAIRS]
    found = rerank("gpu memory", documents, ended.model)
    expected = model.predict([["gpu memory", text] for text in documents])
    assert [item.place for item in found] == np.argsort(-expected, kind="stable").tolist()
    assert [item.score for item in found] == pytest.approx(sorted(expected, reverse=True), abs=1e-5)
    with Reranker(ended.model, device="cpu") as reranker:
        assert len(reranker.rank("gpu memory", documents, top=2)) == 2
    assert "CrossEncoder" in (ended.model / "README.md").read_text("utf-8")


def test_a_model_that_reranks_already_is_measured_before(
    tmp_path: Path, beir: Path, ended: Run, tiny_encoder: Path
) -> None:
    measured = {"k": [1, 3], "metric": "ndcg@3", "bootstrap": 200}
    preset = reranker_preset(ended.model, beir, loss="lambda_loss", evaluation=measured)
    run = fresh_run(tmp_path / "run", preset)
    go_through(run, preset)
    general = MetricsFile.of(run.report).general["ndcg@10"]
    assert general.queries == 48
    assert general.before != general.after
    before = json.loads((run.report / "before.json").read_text("utf-8"))
    # The same weights over the same candidates as at the end of the other run.
    after = json.loads((ended.report / "after.json").read_text("utf-8"))
    assert before["metrics"] == pytest.approx(after["metrics"])
    assert type(library(run.model).activation_fn).__name__ == "Identity"


def test_the_share_of_the_search_is_chosen_by_validation_and_stands_in_the_preset(
    tmp_path: Path, beir: Path, tiny_encoder: Path
) -> None:
    preset = reranker_preset(tiny_encoder, beir, candidates={"depth": 8})
    data = preset.data.model_copy(
        update={"evaluation": preset.data.evaluation.model_copy(update={"validation_fraction": 0.4})}
    )
    run = fresh_run(tmp_path / "run", preset.model_copy(update={"data": data}))
    go_through(run, preset.model_copy(update={"data": data}), ("prepare", "baseline", "train", "evaluate"))
    told = [event.problem for event in events(run) if isinstance(event, Noticed)]
    (choice,) = [problem for problem in told if problem["code"] == "search-share"]
    assert choice["key"] == "candidates.search_share"
    settled = load_preset(str(run.preset_file))
    assert isinstance(settled, RerankerPreset)
    measured = json.loads((run.report / "after.json").read_text("utf-8"))
    assert measured["search_share"] == settled.candidates.search_share == settled.candidates.share()
    # Two steps teach a head nothing: the search's scores count at least half.
    assert measured["search_share"] >= 0.5


def rows_for(loss: type[RerankerLoss]) -> Prepared:
    if loss.rows[0] == "scored":
        made = groups(3)
        pairs = [
            ScoredPair(group.query, text, grade)
            for group in made
            for text, grade in zip((*group.positives, *group.negatives), (3.0, 1.0, 0.0, 0.0), strict=True)
        ]
        return Prepared("scored", pairs=pairs)
    return Prepared("groups", groups=groups(3))


@pytest.mark.parametrize("name", sorted(trained_by("cross_encoder", RerankerLoss)))
def test_every_loss_trains(name: str, tiny_encoder: Path, tmp_path: Path) -> None:
    loss = catalogue(RerankerLoss)[name]
    if "cross_encoder" not in loss.backends:
        pytest.skip("another backend's")
    assert issubclass(loss, RerankerLoss)
    preset = reranker_preset(tiny_encoder, tmp_path / "rows.jsonl", loss=name)
    run = fresh_run(tmp_path / "run", preset)
    tuned = RerankerTraining(run, preset, rows_for(loss), tiny_encoder).start()
    told = [event.values["loss"] for event in events(run) if isinstance(event, Progress) and "loss" in event.values]
    assert len(told) == 2
    assert all(np.isfinite(told))
    assert type(library(tuned).activation_fn).__name__.lower() == loss.activation


def test_it_learns_to_tell_right_from_wrong(tiny_encoder: Path, tmp_path: Path) -> None:
    preset = reranker_preset(
        tiny_encoder, tmp_path / "rows.jsonl", training={"max_steps": 60, "learning_rate": 3e-3, "warmup": 0.0}
    )
    run = fresh_run(tmp_path / "run", preset)
    rows = [replace(group, negatives=("what is an error",)) for group in groups()]
    RerankerTraining(run, preset, Prepared("groups", groups=rows), tiny_encoder).start()
    told = [event.values["loss"] for event in events(run) if isinstance(event, Progress) and "loss" in event.values]
    assert np.mean(told[-10:]) < 0.7 * np.mean(told[:10])


def test_lora_keeps_the_head_and_leaves_an_adapter_and_a_merged_model(
    tmp_path: Path, beir: Path, tiny_encoder: Path
) -> None:
    from tunewiz.backends.models.loading import load_reranker

    training = {"max_steps": 4, "learning_rate": 1e-2}
    preset = reranker_preset(tiny_encoder, beir, method=LORA, training=training, export={"keep_checkpoints": True})
    run = fresh_run(tmp_path / "run", preset)
    go_through(run, preset)
    tuned = load_reranker(run.checkpoints / "tuned", preset).predict(PAIRS)
    assert library(run.model).predict(PAIRS) == pytest.approx(tuned, abs=1e-4)
    assert np.abs(tuned - load_reranker(tiny_encoder, preset).predict(PAIRS)).max() > 1e-3
    assert (run.model / "adapter" / "adapter_model.safetensors").is_file()


def test_stop_then_resume_ends_like_one_run(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = Prepared("groups", groups=groups(1))
    preset = reranker_preset(tiny_encoder, tmp_path / "rows.jsonl", training={"max_steps": 6, "evaluations": 1})
    whole, parts = (fresh_run(tmp_path / name, preset) for name in ("whole", "parts"))
    expected = RerankerTraining(whole, preset, rows, tiny_encoder).start()
    emit = Run.emit

    def stopping(run: Run, event: Any) -> None:
        emit(run, event)
        if isinstance(event, Progress) and event.step == 3:
            run.stop_file.touch()

    monkeypatch.setattr(Run, "emit", stopping)
    with pytest.raises(StopRequested):
        RerankerTraining(parts, preset, rows, tiny_encoder).start()
    monkeypatch.setattr(Run, "emit", emit)
    parts.stop_file.unlink()
    found = RerankerTraining(parts, preset, rows, tiny_encoder).start()
    assert library(found).predict(PAIRS) == pytest.approx(library(expected).predict(PAIRS), abs=1e-6)


def test_training_is_watched_by_the_primary_metric(tiny_encoder: Path, tmp_path: Path) -> None:
    made = groups(1)
    rows = Prepared("groups", groups=made[:30], validation_groups=made[30:])
    training = {"max_steps": 4, "evaluations": 2, "early_stopping": {"enabled": True}}
    preset = reranker_preset(tiny_encoder, tmp_path / "rows.jsonl", training=training)
    run = fresh_run(tmp_path / "run", preset)
    RerankerTraining(run, preset, rows, tiny_encoder).start()
    watched = [event.metrics for event in events(run) if isinstance(event, Evaluated) and event.when == "during"]
    assert len(watched) == 3
    assert all(0 <= value <= 1 for metrics in watched for value in metrics.values())


def test_trying_it_shows_the_search_and_the_tuned_order(ended: Run, beir: Path, tiny_encoder: Path) -> None:
    """The order of ``tunewiz try`` is the measured one, on a query of the evaluation."""
    trial = RerankerTrial(ended, reranker_preset(tiny_encoder, beir), lambda _what, _done, _total: None)
    assert trial.load()["documents"] == len(load(ended.data).evaluation.corpus)
    ranking = read_run(ended.report / "after.run.tsv")
    name = next(iter(ranking))
    answer = next(trial.answer({"query": load(ended.data).evaluation.queries[name], "k": 3}))
    assert [hit["id"] for hit in answer["reranked_after"]["hits"]] == [key for key, _ in ranking[name][:3]]
    assert answer["known"]
    assert answer["retrieved"]["known_rank"] is not None
