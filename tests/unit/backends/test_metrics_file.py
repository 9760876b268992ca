"""The files of measures: what a run wrote is read as it was, and whatever else lies there is no reason to fall over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.playing import a_run
from tunewiz.backends.engines import comparison
from tunewiz.backends.evaluate import Measurement
from tunewiz.backends.evaluate.records import CosineSpread, Measured
from tunewiz.backends.evaluate.verdict import Comparison
from tunewiz.backends.reports.metrics_file import MetricsFile
from tunewiz.backends.reports.next_steps import known_of, next_steps
from tunewiz.backends.runs.comparing import pairing
from tunewiz.backends.runs.state import RunState
from tunewiz.presets.tasks.comparison import ComparisonPreset
from tunewiz.problems import say
from tunewiz.tui import outcome
from tunewiz.tui.panels.evidence import evidence

COMPARED = Comparison("ndcg@10", 0.5, 0.6, 0.1, 0.05, 0.15, 6, 3, 1, 10)
GOOD = {
    "version": 1,
    "run": "faq",
    "primary": "ndcg@10",
    "verdict": "WIN",
    "comparison": COMPARED.record(),
    "before": {"ndcg@10": 0.5},
    "after": {"ndcg@10": 0.6},
    "metrics": {"ndcg@10": COMPARED.record()},
    "counts": {"train": 40},
    "next": ["Use it."],
}
MEASURED = {
    "metrics": {"ndcg@10": 0.5},
    "queries": 10,
    "per_query": {"q1": {"ndcg@10": 0.5}, "q2": {"ndcg@10": 0.4}},
    "cosines": {"positive": {"histogram": [0, 3], "mean": 0.7}, "hard": {"histogram": [3, 0], "mean": 0.2}},
    "answers": {"0": {"prompt": "a", "expected": "b", "answer": "c"}},
}


def odd() -> list[bytes]:
    """Files that no version of ours wrote, or that were cut off, damaged or edited since."""
    whole = json.dumps(GOOD).encode()
    texts = ["", " ", "null", "true", "3", "NaN", '"text"', "[]", "[{}]", "{}", "{", '{"metrics": ', "[" * 100_000,
             '{"a":' * 100_000, "metrics: {}", "\ufeff{}"]  # fmt: skip
    wrong: list[dict[str, Any]] = [
        {"version": 2}, {"version": "1.0"}, {"version": None}, {"version": [1]},
        {"metrics": 3}, {"metrics": []}, {"metrics": {"ndcg@10": "high"}}, {"metrics": {"ndcg@10": None}},
        {"metrics": {"ndcg@10": 10**400}}, {"metrics": {"ndcg@10": True}}, {"metrics": {"": {}}},
        {"comparison": 7, "metrics": "x", "cosines": [], "per_query": 3}, {"comparison": {"metric": "ndcg@10"}},
        {"comparison": COMPARED.record() | {"wins": None}}, {"comparison": COMPARED.record() | {"low": "x"}},
        {"verdict": "GREAT"}, {"verdict": 1}, {"primary": ["ndcg@10"]}, {"primary": {}}, {"counts": {"train": "many"}},
        {"counts": {"train": -1}}, {"counts": {"train": 10**30}}, {"next": "Use it."}, {"next": [1, None]},
        {"after": 0.5}, {"after": {"recall@x": 0.5, "recall@": 1, "recall@²": 1}}, {"before": []},
        {"per_query": {"q1": 3}}, {"per_query": {"q1": {"ndcg@10": None}}}, {"per_query": {"q1": []}},
        {"per_query": {"q1": {"ndcg@10": float("nan")}}}, {"after": {"ndcg@10": float("inf")}},
        {"cosines": {"positive": {"histogram": "x", "mean": "y"}, "hard": 3}}, {"cosines": {"after": {"hard": None}}},
        {"cosines": {"positive": {"histogram": [10**400, 0.5], "mean": 0}}}, {"cosines": {"positive": {}}},
        {"answers": {"0": {"prompt": 3}}}, {"answers": [1]}, {"answers": {"0": None}}, {"seconds": {"before": "long"}},
        {"variants": {"bm25": 3}, "best": "bm25"}, {"variants": {"bm25": {"version": 9}}, "best": ["bm25"]},
        {"systems": {"search": {}}}, {"systems": {"search": {"metrics": {}}}}, {"corpus": "bought"}, {"queries": "ten"},
    ]  # fmt: skip
    broken = [whole[:cut] for cut in (1, 40, len(whole) - 1)]
    return [
        *(text.encode() for text in texts),
        *(json.dumps(GOOD | MEASURED | change).encode() for change in wrong),
        *broken,
        whole.decode().encode("utf-16"),
        b"\x00\xff\xfe{",
        json.dumps(GOOD | {"primary": "\ud800", "next": ["\x1b[31m"]}).encode(),
    ]


def test_what_was_written_is_read_as_it_was(tmp_path: Path) -> None:
    whole = MetricsFile.model_validate(GOOD)
    whole.write(tmp_path / "metrics.json")
    assert json.loads((tmp_path / "metrics.json").read_text("utf-8")) == GOOD
    found = MetricsFile.of(tmp_path)
    assert found == whole
    assert found.comparison == COMPARED
    assert found.metrics["ndcg@10"].certain


def test_what_never_was_set_is_not_written(tmp_path: Path) -> None:
    assert MetricsFile(version=1, verdict="NONE", before=None).as_json() == {
        "version": 1,
        "verdict": "NONE",
        "before": None,
    }
    assert MetricsFile.of(tmp_path).as_json() == {}


def test_a_writer_is_held_to_the_schema() -> None:
    with pytest.raises(ValidationError):
        MetricsFile(version=1, verdict="GREAT")  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        Measurement({"ndcg@10": 0.5}, {}, facts={"cosines": {"positive": 3}}).record()


def test_an_evaluator_of_a_plug_in_may_add_facts(tmp_path: Path) -> None:
    Measurement({"a": 1.0}, {"q": {"a": 1.0}}, facts={"own": [1, {"b": None}]}).record().write(tmp_path / "after.json")
    found = Measured.read(tmp_path / "after.json")
    assert found is not None
    assert found.as_json() == {
        "metrics": {"a": 1.0},
        "seconds": 0.0,
        "own": [1, {"b": None}],
        "per_query": {"q": {"a": 1.0}},
    }
    assert found.summary().as_json() == {"metrics": {"a": 1.0}, "seconds": 0.0, "own": [1, {"b": None}]}


def test_one_wrong_value_does_not_hide_the_others(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps(GOOD | {"counts": {"train": "many"}, "verdict": "GREAT"}))
    found = MetricsFile.of(tmp_path)
    assert (found.verdict, found.counts) == (None, {})
    assert found.comparison == COMPARED
    record = MEASURED | {"cosines": {"positive": {"histogram": ["x"], "mean": 0.7}, "hard": {"histogram": [1]}}}
    (tmp_path / "after.json").write_text(json.dumps(record))
    measured = Measured.read(tmp_path / "after.json")
    assert measured is not None
    assert measured.cosines == {"positive": CosineSpread(histogram=(), mean=0.7), "hard": CosineSpread(histogram=(1,))}
    assert measured.queries == 10


def test_another_version_and_a_record_without_metrics_are_none(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps(GOOD | {"version": 2}))
    assert MetricsFile.of(tmp_path) == MetricsFile()
    for content in ('{"queries": 3}', '{"metrics": {"a": "b"}}', "[]"):
        (tmp_path / "after.json").write_text(content)
        assert Measured.read(tmp_path / "after.json") is None
    assert Measured.read(tmp_path / "nothing.json") is None
    assert Measured.read(tmp_path) is None  # a folder


@pytest.mark.parametrize("content", odd(), ids=lambda content: content[:40].decode("utf-8", "replace"))
def test_every_reader_bears_an_odd_file(tmp_path: Path, content: bytes) -> None:
    run, whole = a_run(tmp_path), a_run(tmp_path, "whole-20260101-130000")
    for one in (run, whole):
        one.report.mkdir()
        for name in ("before", "after", "search"):
            (one.report / f"{name}.json").write_text(json.dumps(MEASURED))
        (one.report / "metrics.json").write_text(json.dumps(GOOD))
    for name in ("before", "after", "search", "metrics"):
        (run.report / f"{name}.json").write_bytes(content)
    lost: Any = None  # a measure that was no number
    measured = {"before:retrieval": {"ndcg@10": 0.5}, "after:retrieval": {"ndcg@10": 0.6, "map@100": lost}}
    state = RunState(name=run.name, task="embedding", status="finished", verdict="WIN", measured=measured)
    found = evidence(run, state)
    assert any(change.metric == "ndcg@10" for change in found.changes)  # of the events, if of nothing else
    assert all(change.after is not None for change in found.changes)
    assert [step.text() for step in found.steps] == [step.text() for step in next_steps(known_of(run, state))] != []
    assert outcome.gain(run, state) == "ndcg@10 0.500 → 0.600"
    assert pairing(run, whole).other == whole.name
    json.dumps(MetricsFile.of(run.report).as_json())


def test_a_comparison_bears_variants_without_a_file(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    settings = {"name": "x", "model": {"id": "a"}, "data": {"train": "a.csv"}, "loss": "cross_entropy"}
    preset = ComparisonPreset.model_validate(settings | {"strategies": ["random", "bm25"]})
    assert comparison.best(run, preset) == "random"
    report = run.directory / "variants" / "bm25" / "report"
    report.mkdir(parents=True)
    (report / "metrics.json").write_text(json.dumps(GOOD))
    assert comparison.best(run, preset) == "bm25"


def test_the_advice_of_a_file_is_in_the_language_of_its_run() -> None:
    advised = MetricsFile(version=1).advising([say("{count} runs", count=3)])
    assert advised.as_json() == {"version": 1, "next": ["3 runs"]}
