"""A recipe chosen when a run's rows are prepared: told, written into its preset, and not chosen again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.children.training_setup import events, groups, new_run
from tests.conftest import DEVICE
from tunewiz.backends.engines.sentence_transformers import SentenceTransformers
from tunewiz.backends.runs.events import Noticed
from tunewiz.backends.runs.run import Run
from tunewiz.backends.training.recipes import rows_of, sample, settled, shared_of
from tunewiz.backends.training.validation import held_out
from tunewiz.data.retrieval.prepared import Prepared
from tunewiz.data.rows.examples import Collection, Document, Group
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.presets.recipe import Known, open_keys
from tunewiz.presets.tasks.embedding import EmbeddingPreset
from tunewiz.presets.tasks.pipeline import PipelinePreset
from tunewiz.presets.yaml import library
from tunewiz.presets.yaml.writing import dumps


@pytest.fixture
def preset(tiny_encoder: Path, tmp_path: Path) -> EmbeddingPreset:
    rows = tmp_path / "rows.jsonl"
    lines = [json.dumps({"query": group.query, "positive": group.positives[0]}) for group in groups()]
    rows.write_text("\n".join(lines), "utf-8")
    found = library.loads(
        f"version: 1\nname: tiny\ntask: embedding\nmodel: {{id: {tiny_encoder}, source: local}}\n"
        f"data: {{train: {rows}}}\nloss: {{name: multiple_negatives_ranking}}\n"
        f"training: {{max_length: 32}}\nlaunch: {{device: {DEVICE}}}\n"
    )
    assert isinstance(found, EmbeddingPreset)
    return found


def told(run: Run) -> dict[str, str]:
    found = [event.problem for event in events(run) if isinstance(event, Noticed)]
    return {problem["key"]: problem["message"] for problem in found if problem["code"] == "recipe"}


def begun(folder: Path, preset: RetrievalPreset, name: str = "run") -> Run:
    run = new_run(folder, name)
    run.preset_file.write_text(dumps(preset), "utf-8")
    run.record_file.write_text("{}", "utf-8")
    return run


def test_a_run_chooses_what_is_open_and_its_preset_repeats_it(preset: EmbeddingPreset, tmp_path: Path) -> None:
    run = begun(tmp_path, preset)
    SentenceTransformers().prepare(run, preset)
    chosen = library.load(run.preset_file)
    assert set(told(run)) == {f"training.{key}" for key in open_keys(preset.training)}
    assert told(run)["training.epochs"].startswith(f"{chosen.training.epochs:g}. ")
    assert "ndcg@10" in told(run)["training.epochs"]
    assert open_keys(chosen.training) == ()
    assert run.preset_file.read_text("utf-8").startswith("#! training.epochs: ")
    again = begun(tmp_path, chosen, "again")  # type: ignore[arg-type]
    SentenceTransformers().prepare(again, chosen)  # type: ignore[arg-type]
    assert not told(again) and library.load(again.preset_file) == chosen
    # A prepare that was killed after it chose, and one before: both end with the same.
    SentenceTransformers().prepare(run, preset)
    assert library.load(run.preset_file) == chosen


def test_what_was_written_is_not_measured_for(preset: EmbeddingPreset, tmp_path: Path) -> None:
    written = preset.training.model_copy(update={"epochs": 7.0, "learning_rate": 1e-3, "batch_size": 8})
    own = preset.model_copy(update={"training": written})
    run = begun(tmp_path, own)
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr("tunewiz.backends.stages.retrieval.measure")
        SentenceTransformers().prepare(run, own)
    assert library.load(run.preset_file).training.epochs == 7.0
    assert not told(run)


def test_a_pipelines_file_stays_a_pipeline(tmp_path: Path) -> None:
    pipeline = library.load("pipeline/starter", ["training.learning_rate=3e-5"])
    assert isinstance(pipeline, PipelinePreset)
    run = begun(tmp_path, pipeline)
    chosen = settled(run, pipeline.reranker(), Known(600, fresh=True))
    kept = library.load(run.preset_file)
    assert isinstance(kept, PipelinePreset) and kept.embedding == pipeline.embedding
    assert kept.training == chosen.training and chosen.training.epochs == 2.0
    assert kept.training.learning_rate == 3e-5


def test_validation_searches_what_the_evaluation_searches() -> None:
    rows = groups()
    unseen = {f"n{number}": Document(f"a document that no row knows {number}") for number in range(30)}
    prepared = Prepared("groups", groups=rows[8:], evaluation=Collection(unseen, {}, {}))
    found = held_out(rows[:8], prepared, 42)
    assert len(found.qrels) == 8
    texts = {document.full for document in found.corpus.values()}
    assert texts == {row.positives[0] for row in rows[:8]} | {document.full for document in unseen.values()}
    assert held_out(rows[:8], prepared, 42, 20) == held_out(rows[:8], prepared, 42, 20)
    assert len(held_out(rows[:8], prepared, 42, 20).corpus) == 20
    drawn = sample(prepared, 42)
    assert drawn is not None and set(drawn.queries.values()) <= {row.query for row in rows[8:]}
    assert rows_of(prepared) == 32


def test_rows_share_an_answer_where_it_is_right_for_several_queries() -> None:
    groups = [Group(f"q{place}", (text,)) for place, text in enumerate("aabcd")]
    assert shared_of(Prepared("groups", groups=groups)) == 0.4
    assert shared_of(Prepared("groups")) == 0
