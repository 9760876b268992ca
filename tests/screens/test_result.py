"""How a run ended."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import OptionList

from tests.playing import BEFORE, FULL, a_run, log_lines, opening
from tests.screens.waiting import seen, until
from tunewiz.backends.evaluate.verdict import Comparison
from tunewiz.backends.reports.metrics_file import MetricsFile
from tunewiz.backends.runs.events import Evaluated, Failed, Finished, Stopped
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.run import Run
from tunewiz.tui import outcome
from tunewiz.tui.app import TunewizApp
from tunewiz.tui.panels.evidence import evidence
from tunewiz.tui.screens.comparison import ComparisonScreen
from tunewiz.tui.screens.export import ExportScreen
from tunewiz.tui.screens.log import LogScreen
from tunewiz.tui.screens.messages import ResultWanted
from tunewiz.tui.screens.monitor import MonitorScreen
from tunewiz.tui.screens.report import ReportScreen
from tunewiz.tui.screens.result import ResultScreen

Make = Callable[..., Run]


def shown(app: TunewizApp) -> Callable[[], bool]:
    return lambda: isinstance(app.screen, ResultScreen) and app.screen.state is not None


def write_metrics(run: Run, compared: Comparison, **more: Any) -> None:
    """What a report of any task says of its primary measure, in numbers."""
    numbers = MetricsFile(
        version=1, primary=compared.metric, comparison=compared, metrics={compared.metric: compared}, **more
    )
    numbers.write(run.report / "metrics.json")


def write_report(run: Run) -> None:
    """What the stages baseline, evaluate and report leave, with text that means ill."""
    run.report.mkdir()
    run.data.mkdir()
    bins = [0] * 30 + list(range(20))
    for when, gain in (("before", 0.0), ("after", 0.07)):
        per_query = {f"q{number}": {"ndcg@10": 0.5 + gain * (number - 3)} for number in range(10)}
        cosines = {"positive": {"histogram": bins, "mean": 0.6 + gain}, "hard": {"histogram": bins[::-1], "mean": 0.4}}
        record = {
            "metrics": {name: value + gain for name, value in BEFORE.items()},
            "per_query": per_query,
            "cosines": cosines,
        }
        (run.report / f"{when}.json").write_text(json.dumps(record))
    compared = Comparison("ndcg@10", 0.6412, 0.7112, 0.07, 0.021, 0.118, wins=6, losses=3, ties=1, queries=10)
    write_metrics(run, compared)
    lines = [json.dumps({"_id": f"q{number}", "text": f"\x1b[31m[bold]query {number}"}) for number in range(10)]
    (run.data / "queries.jsonl").write_text("\n".join(lines))
    (run.report / "report.md").write_text("# All of it\n\n\x1b[31mtext [x](http://example.org)\n")


async def test_a_win_with_everything_there(app: TunewizApp, finished: Make) -> None:
    run = finished()
    write_report(run)
    async with app.run_test(size=(100, 60)) as pilot:
        app.post_message(ResultWanted(run))
        await until(pilot, lambda: shown(app)() and "WIN" in seen(app))
        text = seen(app)
        for word in ("+0.0210 … +0.1180", "6 queries better, 3 worse, 1 the same", "0.50 → 0.92", "[bold]query 9",
                     "Queries that lost most", "mean 0.670", "What to try next", "Report:"):  # fmt: skip
            assert word in text, text
        assert "\x1b" not in text


async def test_report_log_and_curves_open(app: TunewizApp, finished: Make) -> None:
    run = finished()
    write_report(run)
    async with app.run_test(size=(80, 24)) as pilot:
        app.post_message(ResultWanted(run))
        await until(pilot, shown(app))
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, ReportScreen) and "All of it" in seen(app))
        assert "\x1b" not in seen(app)
        await pilot.press("escape")
        await until(pilot, shown(app))
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, LogScreen) and "all went well" in seen(app))
        await pilot.press("escape")
        await until(pilot, shown(app))
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen) and "finished" in seen(app))


async def test_without_a_report_what_the_events_know_is_shown(app: TunewizApp, finished: Make) -> None:
    run = finished(gain=-0.05)
    async with app.run_test(size=(80, 24)) as pilot:
        app.post_message(ResultWanted(run))
        await until(pilot, lambda: shown(app)() and "REGRESSION" in seen(app))
        text = seen(app)
        assert "0.6412" in text
        assert "Report" not in text.splitlines()[-1]
        assert "to a third" in text


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"comparisons": 7, "metrics": "x", "cosines": [], "per_query": 3}']
)
async def test_damaged_reports_are_no_reason_to_fall_over(app: TunewizApp, finished: Make, content: str) -> None:
    run = finished()
    run.report.mkdir()
    for name in ("before.json", "after.json", "metrics.json"):
        (run.report / name).write_text(content)
    async with app.run_test(size=(80, 24)) as pilot:
        app.post_message(ResultWanted(run))
        await until(pilot, lambda: shown(app)() and "WIN" in seen(app))


async def test_a_failure_says_why_and_what_to_do(app: TunewizApp, runs: Path) -> None:
    run = a_run(runs)
    for event in (*opening(run, 1000.0), Failed(time=1020.0, exit_code=4, problems=(FULL,))):
        run.emit(event)
    log_lines(run, "Traceback ...\n")
    async with app.run_test(size=(80, 24)) as pilot:
        app.post_message(ResultWanted(run))
        await until(pilot, lambda: shown(app)() and "failed" in seen(app))
        text = seen(app)
        assert "The GPU ran out of memory." in text
        assert "Halve training.batch_size." in text
        assert "Resume" in text.splitlines()[-1]


async def test_a_stopped_run_offers_to_go_on(app: TunewizApp, runs: Path) -> None:
    run = a_run(runs)
    for event in (*opening(run, 1000.0), Stopped(time=1020.0)):
        run.emit(event)
    async with app.run_test(size=(40, 12)) as pilot:
        app.post_message(ResultWanted(run))
        await until(pilot, lambda: shown(app)() and "stopped" in seen(app))
        assert "Resume" in seen(app).splitlines()[-1]


async def test_the_run_before_is_offered_for_comparison(app: TunewizApp, finished: Make) -> None:
    earlier, run = finished("faq-20260101-110000"), finished("faq-20260101-120000", rate=1e-5)
    for one in (earlier, run):
        write_report(one)
    os.utime(earlier.preset_file, (1, 1))
    async with app.run_test(size=(100, 40)) as pilot:
        app.post_message(ResultWanted(run))
        await until(pilot, lambda: shown(app)() and "Compare" in seen(app).splitlines()[-1])
        assert "Try it" not in seen(app).splitlines()[-1]  # it left no model
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, ComparisonScreen) and "training.learning_rate" in seen(app))


async def test_a_language_model_shows_its_measures_and_answers(app: TunewizApp, runs: Path) -> None:
    run = a_run(runs)
    for event in (
        *opening(run, 1000.0, task="llm")[:2],
        Evaluated(time=1003.0, when="before", what="held-out rows", metrics={"loss": 2.5, "perplexity": 12.2}),
        Evaluated(time=1090.0, when="after", what="held-out rows", metrics={"loss": 1.5, "perplexity": 4.5}),
        Finished(time=1099.0, verdict="WIN"),
    ):
        run.emit(event)
    run.report.mkdir()
    run.data.mkdir()
    asked = ("What trains?", "How fast?")
    lines = [json.dumps({"turns": [["user", text], ["assistant", "A GPU."]]}) for text in asked]
    (run.data / "evaluation.jsonl").write_text("\n".join(lines))
    for when, loss, said in (("before", 2.5, "no idea"), ("after", 1.5, "\x1b[31mA GPU [bold]trains.")):
        answers = {"0": {"prompt": "What trains?", "expected": "A GPU.", "answer": said}}
        rows = {str(row): {"loss": loss + (shift if when == "after" else 0)} for row, shift in enumerate((0, -0.5, 2))}
        record = {"metrics": {"loss": loss, "perplexity": 2.7**loss}, "answers": answers, "per_query": rows}
        (run.report / f"{when}.json").write_text(json.dumps(record))
    compared = Comparison("loss", 2.5, 1.5, -1.0, -1.2, -0.8, 2, 1, 0, 3, lower_is_better=True)
    write_metrics(run, compared, next=("和它聊聊：tunewiz try",))
    found = evidence(run, read_state(run))
    assert found.primary == "loss"
    assert [change.better for change in found.changes] == [True, True]
    assert [(one.text, one.after) for one in found.best] == [
        ("How fast?", 1.0),
        ("What trains?", 1.5),
    ]  # less is better
    assert [one.text for one in found.worst] == ["2"]
    assert outcome.gain(run, read_state(run)) == "loss 2.500 → 1.500"
    write_metrics(run, replace(compared, metric="perplexity"))
    assert outcome.gain(run, read_state(run)).startswith("perplexity ")
    write_metrics(run, compared, next=("和它聊聊：tunewiz try",))
    async with app.run_test(size=(100, 40)) as pilot:
        app.post_message(ResultWanted(run))
        await until(pilot, shown(app))
        await until(pilot, lambda: "Answers on held-out rows" in seen(app))
        assert "A GPU [bold]trains." in seen(app)
        assert f"Talk with it: tunewiz try {run.name}" in seen(app)  # in the language in use, not the report's
        assert "聊聊" not in seen(app)
        assert "Rows that improved most" in seen(app)
        assert "\x1b" not in seen(app)


async def test_a_reranker_is_compared_with_the_search_it_puts_in_order(runs: Path) -> None:
    run = a_run(runs)
    for event in (
        *opening(run, 1000.0)[:2],
        Evaluated(time=1003.0, when="before", what="search", metrics={"ndcg@10": 0.6}),
        Evaluated(time=1090.0, when="after", metrics={"ndcg@10": 0.7}),
        Finished(time=1099.0, verdict="WIN"),
    ):
        run.emit(event)
    (change,) = evidence(run, read_state(run)).changes
    assert change.before is None
    assert change.search == 0.6
    assert change.better
    assert outcome.measures_of(read_state(run), "before") == {}


async def test_a_model_is_exported_into_the_run(app: TunewizApp, finished: Make) -> None:
    run = finished()
    run.model.mkdir()
    (run.model / "model.safetensors").write_bytes(b"weights")
    async with app.run_test(size=(100, 40)) as pilot:
        app.post_message(ResultWanted(run))
        await until(pilot, lambda: shown(app)() and "Try it" in seen(app).splitlines()[-1])
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, ExportScreen) and "merged" in seen(app))
        await pilot.press("enter")  # adapter: there is none
        await until(pilot, lambda: "has no adapter" in seen(app))
        places = app.screen.query_one(OptionList)
        await pilot.press(*["down"] * (places.get_option_index("merged") - places.get_option_index("adapter")), "enter")
        await until(pilot, lambda: (run.directory / "exports" / "merged" / "model.safetensors").is_file())
