"""The screens over folders of runs that hold anything: they list, open and compare them, and go on."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.message import Message
from textual.notifications import Notify
from textual.widgets import DataTable

from tests.odd_runs import HOSTILE, a_whole_run, an_odd_run
from tests.screens.waiting import seen, until
from tunewiz.backends.runs.events import Evaluated, Stage, Started
from tunewiz.backends.runs.find import all_runs
from tunewiz.backends.runs.run import Run
from tunewiz.tui.app import TunewizApp
from tunewiz.tui.screens.comparison import ComparisonScreen
from tunewiz.tui.screens.messages import ComparisonWanted, MonitorWanted, ResultWanted
from tunewiz.tui.screens.monitor import MonitorScreen
from tunewiz.tui.screens.result import ResultScreen
from tunewiz.tui.screens.runs import RunsScreen

ODD = 6  # runs a test
ROUNDS = 20


def failures(messages: list[Message]) -> list[str]:
    """What the user was told of threads that failed."""
    notices = [message.notification for message in messages if isinstance(message, Notify)]
    return [notice.message for notice in notices if notice.severity == "error"]


async def test_a_run_that_cannot_be_read_is_listed_as_such(app: TunewizApp, runs: Path) -> None:
    a_whole_run(runs)
    a_whole_run(runs, "odd-20260101-120000").events_file.write_bytes(b"[1]\n")
    async with app.run_test(size=(140, 30)) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and "unreadable" in seen(app))
        await until(pilot, lambda: "odd-20260101-120000" in seen(app))
        assert "WIN" in seen(app)
        assert "Resume" not in seen(app).splitlines()[-1]


@pytest.mark.parametrize(
    "round_", [0, *(pytest.param(number, marks=pytest.mark.torture) for number in range(1, ROUNDS))]
)
async def test_odd_runs_are_listed_and_opened(app: TunewizApp, runs: Path, round_: int) -> None:
    odd = [an_odd_run(runs, seed) for seed in range(round_ * ODD, (round_ + 1) * ODD)]
    good = a_whole_run(runs)
    messages: list[Message] = []
    async with app.run_test(size=(140, 40), message_hook=messages.append) as pilot:
        await pilot.press("r")
        count = len(all_runs(runs))
        table = app.screen.query(DataTable)
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and len(app.screen.listed) == count)
        assert table.first().row_count == count
        for run in odd:
            app.post_message(ResultWanted(run))
            await until(pilot, lambda: isinstance(app.screen, ResultScreen) and app.screen.state is not None)
            await pilot.press("escape")
            app.post_message(MonitorWanted(run, stay=True))
            await until(pilot, lambda: isinstance(app.screen, MonitorScreen) and app.screen.view is not None)
            await pilot.press("escape")
        app.post_message(ComparisonWanted((good, *odd)))
        await until(pilot, lambda: isinstance(app.screen, ComparisonScreen) and "ndcg@10" in seen(app))
        assert failures(messages) == []


async def test_no_escape_of_a_stranger_is_drawn(app: TunewizApp, runs: Path) -> None:
    run = Run(a_whole_run(runs, f"{HOSTILE.replace('/', '')}-20260101-120000").directory)
    for event in (
        Started(name=HOSTILE, task=HOSTILE, backend="b", model=HOSTILE, pid=1, stages=(HOSTILE, "train")),
        Evaluated(when="before", metrics={f"ndcg{HOSTILE}": 0.1}, what=HOSTILE),
        Evaluated(when="after", metrics={f"ndcg{HOSTILE}": 0.2}, what=HOSTILE),
        Stage(name=HOSTILE),
    ):
        run.emit(event)
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and len(app.screen.listed) == 1)
        pages = [seen(app)]
        for message in (ResultWanted(run), MonitorWanted(run, stay=True), ComparisonWanted((run, run))):
            app.post_message(message)
            await until(pilot, lambda: "owned" in seen(app))
            pages.append(seen(app))
        assert [page for page in pages if any(sign in page for sign in "\x1b\x07\x9b\u202e\x7f")] == []
