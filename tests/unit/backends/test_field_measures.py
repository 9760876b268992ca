"""Measuring and training what people bring: own documents, texts longer than the model reads, a loss of 0.0."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tunewiz.backends.evaluate import MetricOptions
from tunewiz.backends.evaluate.full_search import Retrieval
from tunewiz.backends.evaluate.lengths import length_problems
from tunewiz.backends.evaluate.measuring import MeasureOptions
from tunewiz.backends.evaluate.two_stage import measure_candidates, search_candidates
from tunewiz.backends.models.encoding import SearchEncoder
from tunewiz.backends.models.loading import load_encoder
from tunewiz.backends.runs.callback import Bridge
from tunewiz.backends.stages.retrieval import plan_of
from tunewiz.data.retrieval.prepared import Prepared
from tunewiz.data.rows.examples import Collection, Document, Group
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.presets.sections.data import Candidates
from tunewiz.presets.yaml.library import loads
from tunewiz.problems import Problem

THINGS = ["gpu memory", "server log", "loss curve", "search index", "data loader", "disk error"]
#: Each text is a query and a document; the right answer to one of a pair is the other.
TEXTS = {
    f"x{place}": f"{thing} {word}" for place, (thing, word) in enumerate((t, w) for t in THINGS for w in ("a", "bb"))
}
SELF = Collection(
    {name: Document(text) for name, text in TEXTS.items()},
    TEXTS,
    {f"x{place}": {f"x{place ^ 1}": 1} for place in range(len(TEXTS))},
)


@pytest.mark.parametrize("renamed", [False, True])
def test_a_query_does_not_find_itself_in_either_search(tiny_encoder: Path, renamed: bool) -> None:
    collection = SELF
    if renamed:  # the same texts under other ids, as in a corpus that was built of the passages
        corpus = {f"doc-{name}": document for name, document in SELF.corpus.items()}
        qrels = {name: {f"doc-{key}": grade for key, grade in judged.items()} for name, judged in SELF.qrels.items()}
        collection = replace(SELF, corpus=corpus, qrels=qrels)
    own = {name: f"doc-{name}" if renamed else name for name in TEXTS}
    encoder = SearchEncoder(load_encoder(tiny_encoder))
    found = Retrieval().measure(encoder, collection, MetricOptions())
    assert all(own[query] not in dict(ranking) for query, ranking in found.rankings.items())
    assert all(len(ranking) == len(TEXTS) - 1 for ranking in found.rankings.values())
    wanted = Candidates(depth=2)
    search = search_candidates(wanted, collection, 1, MeasureOptions())
    assert all(own[query] not in dict(ranking) for query, ranking in search.rankings.items())
    # Words find the other text of each pair at once when the query's own is out of the way.
    assert measure_candidates(search, collection, MetricOptions(), 2).metrics["recall@1"] == 1.0


def preset_of(folder: Path, length: int) -> RetrievalPreset:
    text = f"version: 1\nname: x\ntask: embedding\nmodel: {{id: {folder}}}\ndata: {{train: a.csv}}\n"
    preset = loads(f"{text}loss: multiple_negatives_ranking\ntraining: {{max_length: {length}}}\n")
    assert isinstance(preset, RetrievalPreset)
    return preset


def test_one_limit_is_named_and_no_length_that_the_model_cannot_read(tiny_encoder: Path) -> None:
    long = Prepared("groups", groups=[Group(f"query {n}", ("memory server " * 300,)) for n in range(5)])
    told = {found.code: found for found in length_problems(tiny_encoder, preset_of(tiny_encoder, 64), long)}
    line = told["texts-cut-off"].line("en")
    assert "passages" in line and "128" in line and "training.max_length: 128" in line
    told = {found.code: found for found in length_problems(tiny_encoder, preset_of(tiny_encoder, 128), long)}
    assert "max_length to" not in told["texts-cut-off"].line("en") and "128" in told["texts-cut-off"].line("en")
    some = Prepared("groups", groups=[Group(f"query {n}", ("memory server " * 45,)) for n in range(5)])
    told = {found.code: found for found in length_problems(tiny_encoder, preset_of(tiny_encoder, 64), some)}
    assert told["texts-cut-off"].line("en").endswith("Set training.max_length to 96.")
    assert plan_of(preset_of(tiny_encoder, 64)).max_tokens == 64


def test_labels_of_a_preset_reach_reading() -> None:
    text = "version: 1\nname: x\ntask: reranker\nmodel: {id: BAAI/bge-reranker-base}\n"
    preset = loads(text + "data: {train: a.csv, labels: {E: 1, S: 0.1, 0: 0}}\nloss: binary_cross_entropy\n")
    assert isinstance(preset, RetrievalPreset)
    assert plan_of(preset).train.labels == {"E": 1, "S": 0.1, "0": 0}


@dataclass
class Heard:
    """What a run is told, where only that counts."""

    problems: list[Problem]

    def notice(self, problem: Problem) -> None:
        self.problems.append(problem)

    def emit(self, _event: Any) -> None:
        pass


def trained(losses: list[float]) -> list[str]:
    """The codes of what is told of a training with these losses."""
    run = Heard([])
    bridge: Any = Bridge(run, "train")  # type: ignore[arg-type]
    state = SimpleNamespace(is_world_process_zero=True, global_step=1, max_steps=len(losses), epoch=0.0)
    for loss in losses:
        bridge.on_log(None, state, None, {"loss": loss})
    bridge.on_train_end(None, state, None)
    return [problem.code for problem in run.problems]


@pytest.mark.parametrize(("wanted", "steps", "every"), [(10, 15, 1), (10, 100, 5), (10, 5000, 10), (2, 15, 1)])
def test_a_short_run_reports_twenty_times(wanted: int, steps: int, every: int) -> None:
    arguments = SimpleNamespace(logging_steps=wanted, save_total_limit=None)
    state = SimpleNamespace(logging_steps=wanted, max_steps=steps, global_step=0)
    bridge: Any = Bridge(Heard([]), "train")  # type: ignore[arg-type]
    bridge.on_train_begin(arguments, state, None)
    assert state.logging_steps == arguments.logging_steps == every  # the Trainer goes by one, the cosines by the other


def test_a_loss_of_nought_throughout_is_told_once() -> None:
    assert trained([0.0] * 40) == ["loss-zero"]
    assert trained([0.0] * 3) == ["loss-zero"]
    assert trained([0.4, *[0.0] * 40]) == []
    assert trained([0.0] * 5 + [0.2]) == []
    assert json.dumps(trained([])) == "[]"
