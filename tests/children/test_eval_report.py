"""The report: files, numbers, words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backends.verdict import compare
from data import language
from tests.children.evaluation import STAGES, fresh_run, go_through, preset_for, write_beir


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("report")
    preset = preset_for(tiny_encoder, write_beir(folder / "beir"))
    run = fresh_run(folder / "run", preset)
    return run.report, go_through(run, preset)


def test_all_files_are_there(done: tuple[Path, str]) -> None:
    report, _ = done
    names = {path.name for path in report.iterdir()}
    assert names == {
        "report.md", "report.html", "metrics.json", "metrics.png", "cosines.png",
        "before.json", "after.json", "before.run.tsv", "after.run.tsv",
    }  # fmt: skip  # no loss.png: nothing was trained step by step


def test_the_numbers_are_those_measured(done: tuple[Path, str]) -> None:
    report, verdict = done
    before, after = (json.loads((report / f"{when}.json").read_text("utf-8")) for when in ("before", "after"))
    metrics = json.loads((report / "metrics.json").read_text("utf-8"))
    expected = compare(before["per_query"], after["per_query"], "ndcg@3", 200, 42)
    assert metrics["verdict"] == verdict == expected.verdict
    assert metrics["primary"] == "ndcg@3"
    assert metrics["before"] == before["metrics"]
    assert metrics["after"] == after["metrics"]
    assert metrics["difference"]["ndcg@3"] == pytest.approx(after["metrics"]["ndcg@3"] - before["metrics"]["ndcg@3"])
    assert metrics["interval"]["ndcg@3"] == pytest.approx([expected.low, expected.high])
    assert (report / metrics["per_query"]["after"]).is_file()
    text = (report / "report.md").read_text("utf-8")
    assert verdict in text
    for value in (before["metrics"]["ndcg@3"], after["metrics"]["ndcg@3"]):
        assert f"{value:.4f}" in text


def test_the_page_stands_alone(done: tuple[Path, str]) -> None:
    page = (done[0] / "report.html").read_text("utf-8")
    assert page.count("data:image/png;base64,") == 2
    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page


def test_in_chinese(tmp_path: Path, tiny_encoder: Path) -> None:
    preset = preset_for(tiny_encoder, write_beir(tmp_path / "beir"))
    run = fresh_run(tmp_path / "run", preset)
    language.use("zh")
    try:
        go_through(run, preset)
    finally:
        language.use(None)
    assert '<html lang="zh">' in (run.report / "report.html").read_text("utf-8")
    assert (run.report / "metrics.png").stat().st_size > 1000


def test_without_a_baseline_there_is_no_verdict(tmp_path: Path, tiny_encoder: Path) -> None:
    changes = {"k": [1, 3], "metric": "ndcg@3", "bootstrap": 200, "baseline": False}
    preset = preset_for(tiny_encoder, write_beir(tmp_path / "beir"), evaluation=changes)
    run = fresh_run(tmp_path / "run", preset)
    assert go_through(run, preset, STAGES) == "NONE"
    metrics = json.loads((run.report / "metrics.json").read_text("utf-8"))
    assert metrics["before"] is None
    assert metrics["after"]["ndcg@3"] >= 0


def test_a_report_can_be_written_again(tmp_path: Path, tiny_encoder: Path) -> None:
    preset = preset_for(tiny_encoder, write_beir(tmp_path / "beir"))
    run = fresh_run(tmp_path / "run", preset)
    first = go_through(run, preset)
    for path in run.data.iterdir():
        path.unlink()
    assert go_through(run, preset, ()) == first
