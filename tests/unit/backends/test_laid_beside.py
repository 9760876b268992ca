"""Runs inside one, laid beside each other: on the page of a comparison, by ``compare``, and in pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.playing import a_run
from tunewiz.backends.reports import pictures
from tunewiz.backends.reports.sweep_report import Tried, write_sweep
from tunewiz.backends.runs.comparing import laid_beside, pairing
from tunewiz.backends.runs.events import Failed, Finished, Progress, Stage, Started
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.state import Curve, RunState, fold
from tunewiz.files import write_json
from tunewiz.language import use
from tunewiz.presets.sweeping import points
from tunewiz.presets.yaml.library import dumps, loads
from tunewiz.tui.commands.compare import run_compare

pytestmark = pytest.mark.usefixtures("in_english")

YAML = """name: tiny
task: llm
model: {id: starter-llm}
template: gemma
data: {train: 'sample:instructions-en'}
variants:
  whole: {method.type: full}
  low: {method.type: lora}
  search: {preset: embedding/starter}
  absent: {method.type: qlora}
"""
EVENTS = (
    Started(name="tiny", task="llm", backend="peft", model="m", pid=1),
    Stage(name="train"),
    *(
        Progress(stage="train", step=step, total=9, values={"loss": 9.0 - step, "memory": 2.0**30})
        for step in range(1, 9)
    ),
    Stage(name="train", ended=True, seconds=61.0),
    Finished(verdict="WIN"),
)


def compared(metric: str, before: float, after: float) -> dict[str, object]:
    better = after < before if metric == "loss" else after > before
    return {"metric": metric, "lower_is_better": metric == "loss", "before": before, "after": after,
            "difference": after - before, "low": after - before, "high": after - before, "wins": 2 * better,
            "losses": 0, "ties": 0, "queries": 2, "certain": True, "verdict": "WIN"}  # fmt: skip


def measured(run: Run, metric: str, before: float, after: float, rows: int, preset: str) -> None:
    """As a finished run of it left its directory."""
    run.report.mkdir(parents=True)
    run.data.mkdir()
    run.preset_file.write_text(preset, encoding="utf-8")
    sides = {"before": before, "after": after}
    for side, value in sides.items():
        rows_of = {str(row): {metric: value + row / 100} for row in range(2)}
        write_json(run.report / f"{side}.json", {"version": 1, "metrics": {metric: value}, "per_query": rows_of})
    told = {"version": 1, "primary": metric, "verdict": "WIN", "before": {metric: before}, "after": {metric: after},
            "comparison": compared(metric, before, after), "counts": {"train": rows},
            "memory": {"training": float(rows << 30)},
            "general": {f"general-{metric}": compared(metric, before, 2.25)}}  # fmt: skip
    write_json(run.report / "metrics.json", told)
    if metric == "loss":
        lines = (json.dumps({"turns": [["user", str(row)]]}) for row in range(2))
        (run.data / "evaluation.jsonl").write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture
def comparison(tmp_path: Path) -> tuple[Run, list[Tried]]:
    preset = loads(YAML)
    run = a_run(tmp_path)
    run.preset_file.write_text(dumps(preset), encoding="utf-8")
    numbers = {"whole": ("loss", 3.0, 2.0, 5), "low": ("loss", 3.0, 2.5, 3), "search": ("ndcg@10", 0.5, 0.75, 8)}
    tried = []
    for point in points(preset):
        inner = Run(run.directory / "variants" / point.name)
        if point.name in numbers:
            measured(inner, *numbers[point.name], dumps(point.preset))
            tried.append(Tried(point, inner, fold(RunState(), EVENTS)))
            continue
        inner.directory.mkdir(parents=True)
        why = {"severity": "error", "code": "missing", "message": "bitsandbytes is not installed", "key": "method.type"}
        tried.append(Tried(point, inner, fold(RunState(), (EVENTS[0], Failed(exit_code=2, problems=(why,))))))
    return run, tried


def test_the_page_of_a_comparison_says_all_that_compare_does(comparison: tuple[Run, list[Tried]]) -> None:
    run, tried = comparison
    assert write_sweep(run, loads(YAML), tried) == "WIN"
    page = (run.report / "report.md").read_text("utf-8")
    assert "whole measured best on the held-out rows (loss " in page, "the search is not chosen among losses"
    assert "bitsandbytes is not installed" in page
    assert "search is of the task embedding and measured by ndcg@10" in page
    for heading in ("What they took", "How sure the differences are", "Did they forget?", "Settings that differ"):
        assert f"## {heading}" in page, heading
    assert "From whole to low: loss went from 2.0050 to 2.5050" in page
    assert "| rows trained on | 5 | 3 | 8 |" in page and "| most memory | 5.0 GiB | 3.0 GiB | 8.0 GiB |" in page
    assert "0.2500 ndcg@10" in page and "| method.type | full | lora |" in page
    html = (run.report / "report.html").read_text("utf-8")
    assert html.count("<svg role") == 1 and "share of the training" in html


def test_compare_takes_a_comparison_alone(
    comparison: tuple[Run, list[Tried]], capsys: pytest.CaptureFixture[str]
) -> None:
    run, tried = comparison
    write_sweep(run, loads(YAML), tried)
    assert [one.name for one in laid_beside(run)] == ["whole", "low", "search"]
    assert run_compare([run.name], run.directory.parent, as_json=False) == 0
    told = capsys.readouterr().out
    assert "[2] low" in told and "rows trained on" in told and "0 better, 2 worse, 0 the same" in told
    assert laid_beside(tried[0].run) == []


def test_language_models_are_paired_by_their_rows(comparison: tuple[Run, list[Tried]]) -> None:
    _, (whole, low, search, _) = comparison
    found = pairing(whole.run, low.run).comparisons["loss"]
    assert (found.queries, found.difference, found.lower_is_better) == (2, pytest.approx(0.5), True)
    assert pairing(whole.run, search.run).why_not is not None


def test_a_picture_speaks_chinese_though_no_font_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "chinese_font", lambda: "")
    curves = {"loss": Curve(steps=(1, 2, 3), values=(3.0, 2.0, 1.0))}
    use("zh")
    drawn = pictures.loss_picture(curves, "ndcg@10", tmp_path / "loss.png")
    assert drawn is not None and drawn.is_file()
    svg = drawn.with_suffix(".svg").read_text("utf-8")
    assert "步" in svg and ">step<" not in svg
    (told,) = pictures.of_fonts()
    assert "字体" in told.text()
    use("en")
    assert not list(pictures.of_fonts())
