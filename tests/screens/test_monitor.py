"""The monitor, fed by event files that are written as a run writes them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from textual.widgets import Button, Input

from tests.playing import a_run, log_lines, opening, training
from tests.screens.waiting import seen, until
from tunewiz.backends.runs.events import Evaluated, Finished, Progress
from tunewiz.backends.runs.process import alive, kill, write_identity
from tunewiz.backends.runs.run import Run
from tunewiz.tui.app import TunewizApp
from tunewiz.tui.panels.curves import RatePanel
from tunewiz.tui.panels.hardware import HardwarePanel
from tunewiz.tui.panels.log import LogPanel
from tunewiz.tui.panels.pages import LossPanel
from tunewiz.tui.panels.status import AdvicePanel
from tunewiz.tui.screens.confirm import ConfirmScreen
from tunewiz.tui.screens.home import HomeScreen
from tunewiz.tui.screens.monitor import MonitorScreen
from tunewiz.tui.screens.result import ResultScreen
from tunewiz.tui.terminal.looks import Settings


@pytest.fixture
def run(runs: Path) -> Iterator[Run]:
    """A run in the middle of training, with a living process."""
    run = a_run(runs)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    write_identity(run, child.pid)
    for event in opening(run, time.time() - 120, child.pid):
        run.emit(event)
    for event in training(200, time.time() - 110, 1.0):
        if getattr(event, "step", 0) <= 100:
            run.emit(event)
    log_lines(run, "==> train\n" + "".join(f"line {number}\n" for number in range(100)))
    yield run
    kill(run)
    child.wait()


@pytest.fixture
def app(runs: Path, run: Run) -> TunewizApp:
    return TunewizApp(runs, Settings(), first=run)


def monitor(app: TunewizApp) -> MonitorScreen:
    screen = next(screen for screen in app.screen_stack if isinstance(screen, MonitorScreen))
    assert isinstance(screen, MonitorScreen)
    return screen


def there(app: TunewizApp) -> Callable[[], bool]:
    return lambda: isinstance(app.screen, MonitorScreen) and app.screen.view is not None


async def test_everything_of_a_run_is_to_be_seen(app: TunewizApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: there(app)() and monitor(app).view.sample is not None)  # type: ignore[union-attr]
        await until(pilot, lambda: "RAM" in seen(app))
        text = seen(app)
        for word in ("train 3/6", "running", "50%", "100/200", "left", "samples/s", "smoothed", "Learning rate",
                     "line 99", "faq.csv:12", "Machine"):  # fmt: skip
            assert word in text, text


async def test_a_wide_screen_shows_stages_and_the_model(app: TunewizApp) -> None:
    async with app.run_test(size=(200, 50)) as pilot:
        await until(pilot, there(app))
        text = seen(app)
        assert "measure before" in text
        assert "BAAI/bge-small-zh-v1.5" in text
        assert "held out" in text


async def test_new_events_arrive_as_one_message_each_look(app: TunewizApp, run: Run) -> None:
    views = []

    def hook(message: object) -> None:
        if isinstance(message, MonitorScreen.Looked) and message.view not in views:
            views.append(message.view)

    async with app.run_test(size=(80, 24), message_hook=hook) as pilot:
        await until(pilot, there(app))
        for step in range(101, 151):
            run.emit(Progress(stage="train", step=step, total=200, values={"loss": 1.0}))
        await until(pilot, lambda: "150/200" in seen(app))
        steps = {view.state.step for view in views}
        assert 100 in steps
        assert 150 in steps
        assert len(steps) < 20  # coalesced: not one for each event


async def test_values_are_read_at_a_cursor(app: TunewizApp) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, there(app))
        panel = monitor(app).query_one(LossPanel)
        await pilot.press("right")
        assert panel.cursor is not None
        newest = panel.step_at_cursor()
        await pilot.press("left", "left")
        assert panel.step_at_cursor() < newest  # type: ignore[operator]
        await pilot.pause()
        assert "step 9" in seen(app)
        await pilot.press("home")
        assert panel.cursor == 0
        await pilot.press("backspace")
        assert panel.cursor is None
        await pilot.click(panel, offset=(30, 4))
        assert panel.cursor is not None


async def test_a_panel_zooms_and_comes_back(app: TunewizApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, there(app))
        panel = monitor(app).query_one(LossPanel)
        width = panel.size.width
        await pilot.press("z")
        await until(pilot, lambda: panel.size.width > width and panel.size.height > 15)
        assert app.screen.maximized is panel
        await pilot.press("escape")
        await until(pilot, lambda: panel.size.width == width)
        assert isinstance(app.screen, MonitorScreen)


async def test_a_logarithmic_scale(app: TunewizApp) -> None:
    async with app.run_test(size=(100, 40)) as pilot:
        await until(pilot, there(app))
        await pilot.press("l")
        panel = monitor(app).query_one(LossPanel)
        assert panel.logarithmic
        assert panel._axes is not None
        assert panel._axes.log


async def test_search_in_the_log(app: TunewizApp, run: Run) -> None:
    log_lines(run, "needle one\n" + "hay\n" * 50)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: there(app)() and "hay" in seen(app))
        await pilot.press("slash")
        await until(pilot, lambda: isinstance(app.focused, Input))
        await pilot.press(*"NEEDLE", "enter")
        await until(pilot, lambda: "needle one" in seen(app))
        panel = monitor(app).query_one(LogPanel)
        assert app.focused is panel
        assert panel.border_subtitle == "1 lines match"
        await pilot.press("end")
        await pilot.pause()
        assert panel.top is None


async def test_the_first_stop_asks_and_saves(app: TunewizApp, run: Run) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, there(app))
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert "saves a checkpoint" in seen(app)
        await pilot.press("n")
        await until(pilot, there(app))
        assert not run.stop_requested()
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, run.stop_requested)
        await until(pilot, lambda: "saving, then stopping" in seen(app))
        assert alive(run)


async def test_the_second_stop_kills_after_a_yes(app: TunewizApp, run: Run) -> None:
    run.stop_file.touch()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, there(app))
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert "is lost" in seen(app)
        assert isinstance(app.focused, Button)
        assert app.focused.id == "no"  # Enter alone does no harm
        await pilot.press("enter")
        await until(pilot, there(app))
        assert alive(run)
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, ResultScreen))
        assert not alive(run)
        await until(pilot, lambda: "stopped" in seen(app))


async def test_when_the_run_ends_the_result_takes_its_place(app: TunewizApp, run: Run) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, there(app))
        run.emit(Evaluated(when="after", metrics={"ndcg@10": 0.7}))
        run.emit(Finished(verdict="WIN"))
        await until(pilot, lambda: isinstance(app.screen, ResultScreen))
        await until(pilot, lambda: "WIN" in seen(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))


async def test_a_killed_process_shows_as_lost(app: TunewizApp, run: Run) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, there(app))
        kill(run)
        await until(pilot, lambda: isinstance(app.screen, ResultScreen))
        await until(pilot, lambda: "lost" in seen(app))
        assert "without a word" in seen(app)


async def test_leaving_says_how_to_come_back_and_the_run_goes_on(app: TunewizApp, run: Run) -> None:
    told: list[str] = []
    async with app.run_test(size=(80, 24)) as pilot:
        app.notify = lambda message, **_: told.append(message)  # type: ignore[assignment]
        await until(pilot, there(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
        assert "goes on" in told[0]
        assert alive(run)


async def test_warnings_appear_in_plain_words(app: TunewizApp, run: Run) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, there(app))
        for event in training(200, time.time(), 0.01, shape="diverging"):
            run.emit(event)
        await until(pilot, lambda: "The loss is rising" in seen(app))
        assert "learning_rate" in seen(app)


async def test_nan_is_no_reason_to_fall_over(app: TunewizApp, run: Run) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, there(app))
        nan = float("nan")
        values = {"loss": nan, "learning_rate": nan, "grad_norm": float("inf"), "samples_per_second": nan, "epoch": nan,
                  "memory_peak": nan}  # fmt: skip
        run.emit(Progress(stage="train", step=101, total=200, values=values))
        await until(pilot, lambda: "no number" in seen(app))


async def test_damaged_lines_and_other_peoples_events_are_passed_over(app: TunewizApp, run: Run) -> None:
    with run.events_file.open("ab") as stream:
        stream.write(b'{"event":"progress","stage":"train","step":"x","total":null,"values":{"loss":"high"}}\n')
        stream.write(b'\xff\xfe{"event":\n{"event":"stage","name":7}\n{"event":"progress","stage":"train"}\n')
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, there(app))
        run.emit(Progress(stage="train", step=120, total=200, values={"loss": 1.0}))
        await until(pilot, lambda: "120/200" in seen(app))


async def test_hostile_text_stays_text(runs: Path) -> None:
    hostile = "\x1b[31m[bold red]\u202egnp.exe\x07 " + "長" * 3000
    run = a_run(runs, "x[bold]y-20260101-120000")
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    write_identity(run, child.pid)
    for event in opening(run, time.time() - 120, child.pid, model=hostile):
        run.emit(event)
    log_lines(run, f"{hostile}\n[link=http://x]press[/link]\n\x1b]0;title\x07after\n\x9b31m\x00\n")
    app = TunewizApp(runs, Settings(), first=run)
    try:
        async with app.run_test(size=(200, 50)) as pilot:
            await until(pilot, lambda: there(app)() and "after" in seen(app))
            text = seen(app)
            assert "[link=http://x]press[/link]" in text
            assert "x[bold]y" in text
            assert not {"\x1b", "\u202e", "\x07", "\x9b", "\x00"} & set(text)
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


@pytest.mark.parametrize("size", [(40, 12), (20, 5), (300, 90)])
async def test_any_size_will_do(app: TunewizApp, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        await until(pilot, there(app))
        await pilot.press("right", "z")
        await pilot.resize_terminal(100, 30)
        await until(pilot, lambda: app.screen.size.width == 100)
        await pilot.resize_terminal(*size)
        await pilot.press("z", "s")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))


async def test_tab_goes_through_the_panels(app: TunewizApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, there(app))
        visited = [type(app.focused)]
        for _ in range(5):
            await pilot.press("tab")
            visited.append(type(app.focused))
        assert visited[:3] == [LossPanel, HardwarePanel, LogPanel]
        assert {RatePanel, AdvicePanel} <= set(visited)
