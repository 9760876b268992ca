"""The list of runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from rich.text import Text
from textual.app import App, ComposeResult
from textual.message import Message
from textual.widgets import DataTable, Input

from tests.playing import a_run, opening
from tests.screens.waiting import seen, until
from tunewiz.backends.runs.events import Stopped
from tunewiz.backends.runs.process import kill, write_identity
from tunewiz.backends.runs.run import Run
from tunewiz.tui.app import TunewizApp
from tunewiz.tui.screens.comparison import ComparisonScreen
from tunewiz.tui.screens.confirm import ConfirmScreen
from tunewiz.tui.screens.messages import CloneWanted, ComparisonWanted, ResumeWanted
from tunewiz.tui.screens.monitor import MonitorScreen
from tunewiz.tui.screens.result import ResultScreen
from tunewiz.tui.screens.runs import RunsScreen
from tunewiz.tui.terminal.looks import Settings
from tunewiz.tui.widgets.table import Table

Make = Callable[..., Run]


def names(app: TunewizApp) -> list[str]:
    screen = next(screen for screen in app.screen_stack if isinstance(screen, RunsScreen))
    return [str(key.value) for key in screen.query_one(DataTable).rows]


def footer(app: TunewizApp) -> str:
    return seen(app).splitlines()[-1]


async def test_runs_are_listed_with_what_they_brought(app: TunewizApp, finished: Make, runs: Path) -> None:
    finished("one-20260101-110000")
    finished("two-20260101-120000", gain=-0.05)
    (runs / "not-a-run").mkdir()
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and len(names(app)) == 2)
        text = seen(app)
        for word in ("WIN", "REGRESSION", "ndcg@10 0.641 → 0.691", "bge-small-zh"):
            assert word in text


async def test_a_narrow_screen_has_fewer_columns(app: TunewizApp, finished: Make) -> None:
    finished()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and len(names(app)) == 1)
        assert len(app.screen.query_one(DataTable).columns) == 3
        await pilot.resize_terminal(140, 30)
        await until(pilot, lambda: len(app.screen.query_one(DataTable).columns) == 5)
        assert names(app) == ["faq-20260101-120000"]


async def test_the_filter_narrows_by_name_status_and_model(app: TunewizApp, finished: Make) -> None:
    finished("one-20260101-110000")
    finished("two-20260101-120000", gain=-0.05)
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and len(names(app)) == 2)
        await pilot.press("slash")
        assert isinstance(app.focused, Input)
        await pilot.press(*"bge regr")
        await until(pilot, lambda: names(app) == ["two-20260101-120000"])
        await pilot.press("enter")
        assert isinstance(app.focused, DataTable)


async def test_enter_opens_the_result(app: TunewizApp, finished: Make) -> None:
    finished()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and len(names(app)) == 1)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ResultScreen))


async def test_two_marked_runs_are_compared(app: TunewizApp, finished: Make) -> None:
    made = {finished("one-20260101-110000"), finished("two-20260101-120000", rate=1e-4)}
    asked: list[Message] = []
    async with app.run_test(size=(120, 45), message_hook=asked.append) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and len(names(app)) == 2)
        assert "Compare" not in footer(app)
        await pilot.press("space", "down", "space")
        await until(pilot, lambda: "Compare" in footer(app))
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, ComparisonScreen) and "ndcg@10" in seen(app))
        wanted = next(message for message in asked if isinstance(message, ComparisonWanted))
        assert set(wanted.runs) == made
        text = seen(app)
        assert "training.learning_rate" in text
        assert "0.0001" in text
        assert "method.type" not in text  # alike in both
        assert "What they took" in text and "time in all" in text


async def test_deleting_asks_first(app: TunewizApp, finished: Make) -> None:
    run = finished()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and len(names(app)) == 1)
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        assert run.directory.is_dir()
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: not run.directory.exists())
        await until(pilot, lambda: names(app) == [])


async def test_a_living_run_is_watched_and_cannot_be_deleted(app: TunewizApp, runs: Path) -> None:
    run = a_run(runs)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    write_identity(run, child.pid)
    for event in opening(run, 1000.0, child.pid):
        run.emit(event)
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press("r")
            await until(pilot, lambda: isinstance(app.screen, RunsScreen) and len(names(app)) == 1)
            await pilot.press("d")
            await pilot.pause()
            assert isinstance(app.screen, RunsScreen)
            assert "Delete" not in footer(app)
            assert "Resume" not in footer(app)
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, MonitorScreen))
    finally:
        kill(run)
        child.wait()


class Watched(TunewizApp):
    """Takes note of what is asked for and does not do it."""

    def on_resume_wanted(self, message: ResumeWanted) -> None:
        message.prevent_default()

    def on_clone_wanted(self, message: CloneWanted) -> None:
        message.prevent_default()


async def test_stopped_runs_can_be_resumed_and_any_run_cloned(runs: Path) -> None:
    app = Watched(runs, Settings())
    run = a_run(runs)
    for event in (*opening(run, 1000.0), Stopped(time=1020.0)):
        run.emit(event)
    asked: list[Message] = []
    async with app.run_test(size=(80, 24), message_hook=asked.append) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and len(names(app)) == 1)
        await pilot.press("r", "c")
        await until(pilot, lambda: any(isinstance(message, CloneWanted) for message in asked))
        assert {message.run for message in asked if isinstance(message, (ResumeWanted, CloneWanted))} == {run}


async def test_growth_changes_cells_and_keeps_the_cursor(app: TunewizApp, finished: Make, runs: Path) -> None:
    finished("one-20260101-110000")
    run = a_run(runs, "two-20260101-120000")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and len(names(app)) == 2)
        await pilot.press("down")
        for event in (*opening(run, 2000.0), Stopped(time=2020.0)):
            run.emit(event)
        await until(pilot, lambda: "stopped" in seen(app))
        assert app.screen.query_one(DataTable).cursor_row == names(app).index("two-20260101-120000")


async def test_rows_that_were_drawn_before_they_were_measured_are_drawn_again() -> None:
    class Alone(App[None]):
        def compose(self) -> ComposeResult:
            yield Table[Text]()

    app = Alone()
    async with app.run_test(size=(60, 6)) as pilot:
        table = app.query_one(Table)
        for early in (False, True):  # the second time as in a change of language: filled again with the same rows
            await pilot.pause()
            table.clear(columns=True)
            table.add_column("run")
            table.add_row(Text("a-name-longer-than-its-title"))
            if early:
                assert "title" not in table.render_line(1).text, "drawn after it was measured: this proves nothing"
        await pilot.pause()
        assert "a-name-longer-than-its-title" in table.render_line(1).text
