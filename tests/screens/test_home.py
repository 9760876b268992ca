"""Home: what goes on, what can be begun, the machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from textual.message import Message
from textual.widgets import OptionList

from tests.playing import a_run, opening
from tests.screens.waiting import seen, until
from tunewiz.backends.runs.events import Progress
from tunewiz.backends.runs.process import kill, write_identity
from tunewiz.backends.runs.run import Run
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.drafts.kept import fresh, keep
from tunewiz.tui.app import TunewizApp
from tunewiz.tui.panels.glance import GlancePanel, models_here
from tunewiz.tui.screens.home import HomeScreen
from tunewiz.tui.screens.messages import MonitorWanted, ResultWanted, RunsWanted, WizardWanted
from tunewiz.tui.screens.monitor import MonitorScreen
from tunewiz.tui.screens.presets import PresetsScreen
from tunewiz.tui.screens.runs import RunsScreen


@pytest.fixture
def living(runs: Path) -> Iterator[Run]:
    """A run whose process lives."""
    run = a_run(runs, "live-20260101-120000")
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    write_identity(run, child.pid)
    for event in (*opening(run, 1000.0, child.pid), Progress(stage="train", step=55, total=100, time=1065.0)):
        run.emit(event)
    yield run
    kill(run)
    child.wait()


def keys(app: TunewizApp) -> list[str]:
    return [option.id or "" for option in app.screen.query_one(OptionList).options]


async def test_what_can_be_begun_is_there_at_once(app: TunewizApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        assert isinstance(app.screen, HomeScreen)
        assert keys(app) == ["file", "example", "new", "presets", "runs"]
        panel = app.screen.query_one(GlancePanel)
        await until(pilot, lambda: panel.sample is not None and panel.models == models_here())
        assert "RAM" in seen(app)
        assert "GiB free" in seen(app)


async def test_live_runs_come_first_and_enter_goes_back_to_them(
    app: TunewizApp, living: Run, finished: Callable[..., Run]
) -> None:
    finished("old-20260101-110000")
    asked: list[Message] = []
    async with app.run_test(size=(80, 24), message_hook=asked.append) as pilot:
        await until(pilot, lambda: keys(app)[0] == f"run:{living.name}")
        assert "train 55%" in seen(app)
        assert "Runs (2)" in seen(app)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen))
        assert {message.run for message in asked if isinstance(message, MonitorWanted)} == {living}


async def test_the_cursor_stays_where_the_user_put_it(app: TunewizApp, runs: Path, living: Run) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: len(keys(app)) == 6)
        await pilot.press("down", "down", "down", "down")
        living.emit(Progress(stage="train", step=100, total=100))
        await until(pilot, lambda: "train 100%" in seen(app))
        option = app.screen.query_one(OptionList).highlighted_option
        assert option is not None
        assert option.id == "presets"


@pytest.mark.parametrize(("key", "screen"), [("r", RunsScreen), ("p", PresetsScreen)])
async def test_keys_open_screens_and_escape_comes_back(app: TunewizApp, key: str, screen: type) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, screen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))


async def test_the_mouse_works_too(app: TunewizApp) -> None:
    asked: list[Message] = []
    async with app.run_test(size=(80, 24), message_hook=asked.append) as pilot:
        await pilot.pause()
        choices = app.screen.query_one(OptionList)
        await pilot.click(choices, offset=(6, keys(app).index("runs") + 4))  # two entries above take two lines
        await until(pilot, lambda: any(isinstance(message, RunsWanted) for message in asked))


async def test_drafts_are_offered(app: TunewizApp) -> None:
    kept = keep(fresh(Draft(answers={"name": "my-draft"})))
    asked: list[Message] = []
    async with app.run_test(size=(80, 24), message_hook=asked.append) as pilot:
        await until(pilot, lambda: "draft:0" in keys(app))
        assert "my-draft" in seen(app)
        choices = app.screen.query_one(OptionList)
        choices.highlighted = keys(app).index("draft:0")
        await pilot.press("enter")
        await until(pilot, lambda: any(isinstance(message, WizardWanted) for message in asked))
        wanted = next(message for message in asked if isinstance(message, WizardWanted))
        assert wanted.start.file == kept.file


async def test_leaving_tells_how_to_come_back(app: TunewizApp, living: Run) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: len(keys(app)) == 6)
        await pilot.press("q")
        await pilot.pause()
    assert f"tunewiz watch {living.name}" in (app.return_value or "")


async def test_leaving_says_nothing_when_nothing_goes_on(app: TunewizApp, finished: Callable[..., Run]) -> None:
    finished()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("q")
        await pilot.pause()
    assert app.return_value == ""


async def test_the_last_results_stand_there_with_their_verdicts(app: TunewizApp, finished: Callable[..., Run]) -> None:
    run = finished()
    asked: list[Message] = []
    async with app.run_test(size=(200, 50), message_hook=asked.append) as pilot:
        await until(pilot, lambda: f"result:{run.name}" in keys(app))
        assert "WIN" in seen(app)
        choices = app.screen.query_one(OptionList)
        choices.highlighted = keys(app).index(f"result:{run.name}")
        await pilot.press("enter")
        await until(pilot, lambda: any(isinstance(message, ResultWanted) for message in asked))
