"""The full screen in a real terminal (tmux): what is drawn there, a killed terminal, coming back."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.playing import a_run, closing, opening, training
from tests.terminal.tmux import PATIENCE, TMUX, Tmux
from tunewiz.backends.runs.process import alive
from tunewiz.backends.runs.run import Run

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(TMUX is None, reason="no tmux here")


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    server = Tmux(tmp_path)
    yield server
    server.call("kill-server")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path), "LANG": "C.UTF-8",
        "TUNEWIZ_LANG": "en", "HF_HUB_OFFLINE": "1", "TERM": "screen-256color", "HF_HOME": str(tmp_path),
    }  # fmt: skip


@pytest.fixture
def playing(runs: Path) -> Iterator[Run]:
    """A run that another process plays, ten events a second, for as long as the test takes."""
    directory = runs / "faq-20260101-120000"
    player = [sys.executable, "-m", "tests.playing", str(directory), "--steps", "2000", "--rate", "10"]
    child = subprocess.Popen(player, cwd=ROOT, start_new_session=True)
    while not (directory / "events.jsonl").exists():
        assert child.poll() is None
        time.sleep(0.05)
    yield Run(directory)
    child.kill()
    child.wait()


def app(runs: Path) -> str:
    return f"from pathlib import Path; from tunewiz.tui.app import run_screen; run_screen(Path({str(runs)!r}))"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_killed_terminal_leaves_the_run_alone_and_the_next_start_finds_it(
    tmux: Tmux, runs: Path, environment: dict[str, str], playing: Run
) -> None:
    tmux.start(python(app(runs)), (80, 24), **environment)
    tmux.until(lambda screen: f"● {playing.name}" in screen)
    tmux.keys("Enter")
    tmux.until(lambda screen: "Learning rate" in screen and "running" in screen)
    tmux.kill()
    assert alive(playing)
    size = playing.events_file.stat().st_size
    tmux.start(python(app(runs)), (200, 50), **environment)
    tmux.until(lambda screen: f"● {playing.name}" in screen)
    tmux.keys("Enter")
    tmux.until(lambda screen: "running" in screen and "smoothed" in screen)
    assert playing.events_file.stat().st_size > size
    tmux.keys("s")
    tmux.until(lambda screen: "saves a checkpoint" in screen)
    tmux.keys("y")
    tmux.until(lambda screen: "stopped" in screen and "Result" in screen)
    assert not alive(playing)


def test_a_shell_gets_its_terminal_back_with_a_word_on_how_to_return(
    tmux: Tmux, runs: Path, environment: dict[str, str], playing: Run
) -> None:
    tmux.start(python(f"{app(runs)}; input('shell> ')"), (80, 24), **environment)
    tmux.until(lambda screen: f"● {playing.name}" in screen)
    tmux.keys("Enter")
    tmux.until(lambda screen: "Learning rate" in screen)
    tmux.keys("q")
    screen = tmux.until(lambda screen: "shell>" in screen)
    assert f"tunewiz watch {playing.name}" in screen
    assert "Learning rate" not in screen
    assert alive(playing)


@pytest.mark.parametrize("terminal", ["screen", "xterm-256color", "linux", "vt100"])
def test_terminals(tmux: Tmux, runs: Path, environment: dict[str, str], terminal: str) -> None:
    tmux.start(python(app(runs)), (80, 24), **environment | {"TERM": terminal})
    screen = tmux.until(lambda screen: "New fine-tune" in screen and "RAM" in screen)
    assert screen.isascii() == (terminal in ("linux", "vt100"))


@pytest.mark.parametrize("poor", [False, True])
def test_a_c_locale_gets_ascii_and_letters_where_a_terminal_may_show_them(
    tmux: Tmux, runs: Path, environment: dict[str, str], poor: bool
) -> None:
    run = a_run(runs, "模型-20260101-120000")
    for event in (*opening(run, 1000.0), *training(50, 1010.0, 1.0), *closing(1080.0)):
        run.emit(event)
    tmux.start(python(app(runs)), (80, 24), **environment | {"LANG": "C"} | ({"TERM": "linux"} if poor else {}))
    tmux.until(lambda screen: "Runs (1)" in screen)
    tmux.keys("r")
    tmux.until(lambda screen: "> Runs" in screen and ("????" if poor else "模型") + "-20260101" in screen)
    tmux.keys("Enter")
    tmux.until(lambda screen: "What to try next" in screen)
    tmux.keys("m")
    screen = tmux.until(lambda screen: "smoothed" in screen)
    assert screen.replace("模型", "").isascii()
    assert screen.isascii() == poor


def test_chinese_by_locale(tmux: Tmux, runs: Path, environment: dict[str, str]) -> None:
    environment = {name: value for name, value in environment.items() if name != "TUNEWIZ_LANG"}
    tmux.start(python(app(runs)), (80, 24), **environment | {"LANG": "zh_CN.UTF-8"})
    tmux.until(lambda screen: "新建微调" in screen and "本机" in screen)


def test_no_color_sends_no_colours(tmux: Tmux, runs: Path, environment: dict[str, str]) -> None:
    tmux.start(python(app(runs)), (80, 24), **environment | {"NO_COLOR": "1"})
    tmux.until(lambda screen: "New fine-tune" in screen)
    codes = {
        code for part in tmux.screen(colours=True).split("\x1b[")[1:] for code in part.partition("m")[0].split(";")
    }
    assert not {code for code in codes if code[:1] in ("3", "4", "9") and code not in ("3", "4", "9", "39", "49")}


def test_a_terminal_that_hangs_up_ends_the_app_and_not_the_run(
    tmux: Tmux, runs: Path, environment: dict[str, str], playing: Run
) -> None:
    tmux.start(python(app(runs)), (80, 24), **environment)
    tmux.until(lambda screen: f"● {playing.name}" in screen)
    pid = tmux.pid
    tmux.call("kill-session", "-t", "main")
    end = time.monotonic() + PATIENCE
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]:
        assert time.monotonic() < end, "the app outlived its terminal"
        time.sleep(0.1)
    assert alive(playing)
