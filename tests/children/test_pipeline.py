"""A pipeline on tiny models: an embedding model, a reranker over it, one report whose numbers can be recomputed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import pytrec_eval

from tests.children.evaluation import advised, events, write_beir
from tests.children.training_setup import preset as embedding_preset
from tests.conftest import DEVICE
from tunewiz.backends.engines.comparison import Comparison
from tunewiz.backends.engines.pipeline import Pipeline
from tunewiz.backends.evaluate.metrics import read_run
from tunewiz.backends.runs.events import STAGES, Noticed
from tunewiz.backends.runs.run import Run
from tunewiz.presets.tasks.comparison import ComparisonPreset
from tunewiz.presets.tasks.pipeline import PipelinePreset
from tunewiz.presets.yaml.library import loads
from tunewiz.presets.yaml.writing import dumps

MEASURES = {"ndcg@3": "ndcg_cut_3", "mrr@100": "recip_rank", "recall@3": "recall_3"}


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Run:
    """A pipeline run to its end."""
    folder = tmp_path_factory.mktemp("pipeline")
    first = folder / "first.yaml"
    first.write_text(dumps(embedding_preset(tiny_encoder)), "utf-8")
    preset = PipelinePreset.model_validate(
        {
            "name": "tiny-pipeline",
            "embedding": str(first),
            "model": {"id": str(tiny_encoder), "source": "local"},
            "data": {
                "train": str(write_beir(folder / "beir")),
                "negatives": {"strategy": "random", "per_query": 2, "candidates": 10},
            },
            "candidates": {"depth": 8},
            "loss": "cross_entropy",
            "training": {"batch_size": 8, "max_steps": 2, "learning_rate": 1e-3, "max_length": 48},
            "evaluation": {"k": [1, 3], "metric": "ndcg@3", "bootstrap": 200, "general": False},
            "launch": {"device": DEVICE},
        }
    )
    assert loads(dumps(preset)) == preset
    run = Run(folder / "run")
    run.directory.mkdir()
    run.preset_file.write_text(dumps(preset), "utf-8")
    for stage in STAGES:
        getattr(Pipeline(), stage)(run, preset)
    return run


def metrics(run: Path, name: str) -> dict[str, float]:
    found: dict[str, float] = json.loads((run / "report" / f"{name}.json").read_text("utf-8"))["metrics"]
    return found


def test_the_candidates_are_those_of_the_tuned_embedding_model(ended: Run) -> None:
    inner = ended.directory / "embedding"
    alone, tuned = metrics(ended.directory, "search"), metrics(inner, "after")
    # The same search over the same queries, to another depth.
    assert {name: alone[name] for name in ("ndcg@3", "recall@3", "mrr@3")} == pytest.approx(
        {name: tuned[name] for name in ("ndcg@3", "recall@3", "mrr@3")}
    )
    assert (inner / "model" / "modules.json").is_file()
    assert (ended.model / "config_sentence_transformers.json").is_file()


@pytest.mark.parametrize("name", ["search", "after"])
def test_each_number_is_pytrec_evals(ended: Run, name: str) -> None:
    qrels: dict[str, dict[str, int]] = {}
    for line in (ended.data / "qrels.tsv").read_text("utf-8").splitlines()[1:]:
        query, document, grade = line.split("\t")
        qrels.setdefault(query, {})[document] = int(grade)
    rankings = {query: dict(found) for query, found in read_run(ended.report / f"{name}.run.tsv").items()}
    values = pytrec_eval.RelevanceEvaluator(qrels, set(MEASURES.values())).evaluate(rankings)
    told = metrics(ended.directory, name)
    for ours, theirs in MEASURES.items():
        if ours in told:
            assert told[ours] == pytest.approx(np.mean([row[theirs] for row in values.values()]), abs=1e-12)


def test_one_report_shows_every_system(ended: Run) -> None:
    told = json.loads((ended.report / "metrics.json").read_text("utf-8"))
    assert list(told["systems"]) == ["untuned", "search", "after"]
    assert all((ended.report / path).is_file() for path in (*told["rankings"].values(), *told["per_query"].values()))
    report = (ended.report / "report.md").read_text("utf-8")
    assert all(words in report for words in ("search before tuning", "search alone", "+ tuned reranker"))
    codes = [event.problem["code"] for event in events(ended) if isinstance(event, Noticed)]
    assert codes.count("inner-stage") == len(STAGES)
    for run in (ended, Run(ended.directory / "embedding")):
        written, known = advised(run)
        assert written == known != []


def test_strategies_are_compared_on_one_page(tmp_path: Path, tiny_encoder: Path) -> None:
    preset = ComparisonPreset.model_validate(
        {
            "name": "negatives",
            "strategies": ["random", "bm25"],
            "model": {"id": str(tiny_encoder), "source": "local"},
            "data": {
                "train": str(write_beir(tmp_path / "beir")),
                "negatives": {"per_query": 2, "candidates": 20, "relative_margin": 0.0},
            },
            "candidates": {"depth": 8},
            "loss": "cross_entropy",
            "training": {"batch_size": 8, "max_steps": 2, "learning_rate": 1e-3, "max_length": 48},
            "evaluation": {"k": [1, 3], "metric": "ndcg@3", "bootstrap": 200, "general": False},
            "launch": {"device": DEVICE},
        }
    )
    run = Run(tmp_path / "run")
    run.directory.mkdir()
    run.preset_file.write_text(dumps(preset), "utf-8")
    for stage in STAGES:
        getattr(Comparison(), stage)(run, preset)
    told = json.loads((run.report / "metrics.json").read_text("utf-8"))
    assert set(told["variants"]) == {"random", "bm25"}
    values = {name: record["after"]["ndcg@3"] for name, record in told["variants"].items()}
    assert values[told["best"]] == max(values.values())
    page = (run.report / "report.md").read_text("utf-8")
    assert all(f"{value:.4f}" in page for value in values.values())
    assert (run.model / "model.safetensors").is_file()
    written, known = advised(run)
    assert written == known == told["variants"][told["best"]]["next"] != []
    assert all(f"- {step}" in page for step in written)


def test_an_embedding_preset_that_is_not_there_is_told(tmp_path: Path) -> None:
    preset = PipelinePreset.model_validate(
        {"name": "x", "embedding": "embedding/stater", "model": {"id": "all-MiniLM-L6-v2"}, "data": {"train": "a.csv"},
         "loss": "cross_entropy"}
    )  # fmt: skip
    problems = [problem for problem in preset.problems() if problem.code == "embedding-preset"]
    assert [problem.where.key for problem in problems] == ["embedding"]
    assert "embedding/starter" in problems[0].line("en")
