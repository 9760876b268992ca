"""Settings of the screen tests: a home of its own, English, no network, whatever machine they run on."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.playing import a_run, closing, log_lines, opening, training
from tunewiz.backends.runs.run import Run
from tunewiz.language import use
from tunewiz.tui.app import TunewizApp
from tunewiz.tui.forms.form import Form
from tunewiz.tui.terminal.looks import Settings


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    home = tmp_path_factory.mktemp("home")
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "HF_HOME", "MODELSCOPE_CACHE"):
        monkeypatch.setenv(name, str(home / name.lower()))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("TUNEWIZ_CHARACTERS", "unicode")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("tunewiz.tui.wizard.machine.batch_system", lambda: False)  # no step of the launch
    use("en")
    yield
    use(None)


@pytest.fixture(autouse=True)
def what_is_alive_stays(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A screen that opens looks for garbage in all that this process has imported, but in the tests of just that."""
    if request.path.name == "test_thrift.py":
        yield
        gc.freeze()
    else:
        monkeypatch.setattr("tunewiz.tui.terminal.pacing.set_aside", lambda: None)
        yield


@pytest.fixture(autouse=True)
def whole_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause also lasts until keys are answered and all rows of forms are there, those out of sight too.

    Several keys arrive together, as from a slow line: the app answers them in their order (``tui/terminal/keys.py``),
    and only the last one is waited for until nothing moves, which takes half a second and more.
    """
    pause, press = Pilot.pause, Pilot.press
    monkeypatch.setattr(Form, "ahead", 10_000)

    def busy(pilot: Pilot[object]) -> bool:
        app = pilot.app
        return app.return_code is None and (
            getattr(app, "answering", False) or any(not form.complete for form in app.screen.query(Form))
        )

    async def until_whole(pilot: Pilot[object], delay: float | None = None) -> None:
        await pause(pilot, delay)
        while busy(pilot):
            await pause(pilot, 0.01)

    async def pressed(pilot: Pilot[object], *keys: str) -> None:
        if len(keys) > 1:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("textual.app.wait_for_idle", asyncio.sleep)
                await press(pilot, *keys[:-1])
            while busy(pilot):
                await pause(pilot, 0.01)
        await press(pilot, *keys[-1:])

    monkeypatch.setattr(Pilot, "pause", until_whole)
    monkeypatch.setattr(Pilot, "press", pressed)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """An empty folder of runs."""
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


@pytest.fixture
def app(runs: Path) -> TunewizApp:
    """The app over the folder of runs."""
    return TunewizApp(runs, Settings())


@pytest.fixture
def finished(runs: Path) -> Callable[..., Run]:
    """Makes a run that is over."""

    def make(name: str = "faq-20260101-120000", gain: float = 0.07, rate: float = 2e-5) -> Run:
        run = a_run(runs, name, rate=rate)
        for event in (*opening(run, 1000.0), *training(60, 1010.0, 1.0), *closing(1080.0, gain)):
            run.emit(event)
        log_lines(run, "==> train\nall went well\n")
        return run

    return make
