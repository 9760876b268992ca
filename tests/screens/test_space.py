"""The vector space of a run on the screen."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.screens.waiting import seen, until
from tests.unit.backends.test_space import a_space
from tunewiz.backends.runs.run import Run
from tunewiz.backends.space.record import NAME
from tunewiz.errand import GivenUp
from tunewiz.problems import say
from tunewiz.tui.app import TunewizApp
from tunewiz.tui.dialogs import space as room
from tunewiz.tui.dialogs.space import SpaceScreen
from tunewiz.tui.screens.messages import ResultWanted
from tunewiz.tui.screens.result import ResultScreen

Make = Callable[..., Run]


async def open_space(app: TunewizApp, pilot: Any, run: Run) -> None:
    """From the result, as users come to it."""
    app.post_message(ResultWanted(run))
    await until(pilot, lambda: isinstance(app.screen, ResultScreen) and app.screen.state is not None)
    await pilot.press("e")
    await until(pilot, lambda: isinstance(app.screen, SpaceScreen))


async def test_what_was_drawn_is_there_at_once_and_looked_through(app: TunewizApp, finished: Make) -> None:
    run = finished()
    run.model.mkdir()
    run.report.mkdir()
    a_space().write(run.report / NAME)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_space(app, pilot, run)
        await until(pilot, lambda: "1/2" in seen(app))
        assert "before  query and answer 0.500" in seen(app) and "after  query" not in seen(app)
        await pilot.press("tab", "down")
        await until(pilot, lambda: "2/2  0.500 → 0.375" in seen(app))
        assert "after  query and answer 0.750" in seen(app) and "text 5" in seen(app)
        await pilot.press("escape")
        assert isinstance(app.screen, ResultScreen)


async def test_leaving_stops_what_draws(app: TunewizApp, finished: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    run = finished()
    run.model.mkdir()
    ended: list[bool] = []

    def slowly(_run: Run, tell: Callable[[Any], None], unwanted: Callable[[], bool], **_: Any) -> list[Path]:
        tell(say("Drawing"))
        while not unwanted():
            time.sleep(0.01)
        ended.append(True)
        raise GivenUp

    monkeypatch.setattr(room, "ask", slowly)  # the child takes seconds to begin with anything
    async with app.run_test(size=(100, 30)) as pilot:
        await open_space(app, pilot, run)
        await until(pilot, lambda: "Escape stops it" in seen(app))
        await pilot.press("escape")
        await until(pilot, lambda: bool(ended))
        assert isinstance(app.screen, ResultScreen)
