"""GPUs through NVML, answered by a small C library in the driver's place, which child processes load at start."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).with_name("nvml.c")
ROOT = Path(__file__).resolve().parents[2]
COMPILER = shutil.which("cc") or shutil.which("gcc")

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler here")
Ask = Callable[..., str]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the library."""
    folder = tmp_path_factory.mktemp("nvml")
    out = folder / "libnvidia-ml.so.1"
    subprocess.run([str(COMPILER), "-shared", "-fPIC", "-O1", "-w", "-o", str(out), str(SOURCE)], check=True)
    return folder


@pytest.fixture
def ask(library: Path, tmp_path: Path) -> Ask:
    """Runs Python code where the library answers; what it printed."""

    def run(code: str, gpus: int = 1, fails: str = "", gone: Path | None = None, **more: str) -> str:
        environment = dict(os.environ) | {
            "LD_LIBRARY_PATH": str(library), "FAKE_GPUS": str(gpus), "FAKE_FAILS": fails, "FAKE_GONE": str(gone or ""),
            "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(tmp_path / "config"),
            "XDG_STATE_HOME": str(tmp_path / "state"), "TUNEWIZ_LANG": "en",
            "HF_HUB_OFFLINE": "1", "TUNEWIZ_CHARACTERS": "unicode", "TMPDIR": str(tmp_path),
            "TUNEWIZ_PLACES": str(tmp_path / "places"),
        } | more  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


LIST = """
import dataclasses, json
from tunewiz.backends.machine.hardware import gpus
print(json.dumps([dataclasses.asdict(gpu) for gpu in gpus()]))
"""


def listed(ask: Ask, **arguments: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(ask(LIST, **arguments))
    return found


@pytest.mark.parametrize("count", [0, 1, 8])
def test_every_gpu_is_listed(ask: Ask, count: int) -> None:
    found = listed(ask, gpus=count)
    assert [gpu["index"] for gpu in found] == list(range(count))
    for gpu in found:
        assert gpu["name"] == f"NVIDIA Test {gpu['index']}"
        assert gpu["memory_total"] == 80 << 30
        assert gpu["memory_used"] == (gpu["index"] + 1) << 33
        assert (gpu["utilisation"], gpu["temperature"], gpu["power"], gpu["driver"]) == (93, 64, 287.5, "999.1")


@pytest.mark.parametrize(
    ("fails", "field"),
    [("Memory", "memory_used"), ("Utilization", "utilisation"), ("Temperature", "temperature"), ("Power", "power")],
)
def test_a_call_that_fails_costs_its_field_only(ask: Ask, fails: str, field: str) -> None:
    (gpu,) = listed(ask, fails=fails)
    assert gpu[field] is None
    assert len([name for name, value in gpu.items() if value is None]) <= 2


@pytest.mark.parametrize("fails", ["Init", "Count"])
def test_a_driver_that_fails_means_no_gpus(ask: Ask, fails: str) -> None:
    assert listed(ask, fails=fails) == []


@pytest.mark.parametrize("fails", ["Name", "Handle", "Utf8"])
def test_a_card_without_a_name_is_a_card(ask: Ask, fails: str) -> None:
    assert [gpu["name"] for gpu in listed(ask, gpus=2, fails=fails)] == ["?", "?"]


SCREEN = """
import asyncio, os, tempfile
from pathlib import Path
from tunewiz.backends.runs.events import Progress
from tunewiz.backends.machine import places
from tests.playing import a_run; from tests.playing import opening
from tests.screens.waiting import seen; from tests.screens.waiting import until
from tunewiz.backends.runs.process import write_identity
from tunewiz.tui.app import TunewizApp
from tunewiz.tui.terminal.looks import Settings

async def main(size, gone):
    run = a_run(Path(tempfile.mkdtemp()))
    write_identity(run, os.getpid())
    if own := os.environ.get("OWN_CARDS"):
        cards = tuple(f"gpu-{card}" for card in own.split(","))
        assert places.Turn(places.Wish(run.name, cards, len(cards))).take() is not None
    for event in opening(run, 1000.0):
        run.emit(event)
    run.emit(Progress(stage="train", step=1, total=9, values={"loss": 1.0}))
    app = TunewizApp(run.directory.parent, Settings(), first=run)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "No NVIDIA" in seen(app) or " Test " in seen(app))
        await until(pilot, lambda: "GiB" in seen(app))
        print(seen(app))
        if gone:
            Path(os.environ["FAKE_GONE"]).touch()
            await until(pilot, lambda: "64°C" not in seen(app))
            run.emit(Progress(stage="train", step=7, total=9, values={"loss": 1.0}))
            await until(pilot, lambda: "7/9" in seen(app))
            print("== later ==")
            print(seen(app))

asyncio.run(main(%r, %r))
"""


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_the_monitor_shows_a_gpu(ask: Ask, size: tuple[int, int]) -> None:
    screen = ask(SCREEN % (size, False), gpus=1)
    for word in ("Test 0", "93%", "8.0/80.0 GiB", "64°C", "288 W"):
        assert word in screen, screen


def test_the_monitor_shows_eight_gpus_where_there_is_room(ask: Ask) -> None:
    screen = ask(SCREEN % ((200, 50), False), gpus=8)
    assert all(f"{number} Test {number}" in screen for number in range(8)), screen
    assert "more GPUs" in ask(SCREEN % ((80, 24), False), gpus=8)


def test_of_eight_gpus_the_runs_own_are_seen_first_where_there_is_no_room(ask: Ask) -> None:
    own = {"OWN_CARDS": "5,6", "FAKE_USED": ",".join(["0"] * 8)}
    screen = ask(SCREEN % ((80, 24), False), gpus=8, **own)
    assert "5 Test 5" in screen and "6 Test 6" in screen and "0 Test 0" not in screen, screen
    screen = ask(SCREEN % ((200, 50), False), gpus=8, **own)
    places = [screen.index(f"{number} Test {number}") for number in (5, 6, 0, 1, 2, 3, 4, 7)]
    assert places == sorted(places), screen


def test_the_monitor_lives_without_gpus_and_with_half_a_driver(ask: Ask) -> None:
    assert "No NVIDIA GPU" in ask(SCREEN % ((80, 24), False), gpus=0)
    assert "—" in ask(SCREEN % ((80, 24), False), gpus=1, fails="Memory Utilization Temperature")


def test_a_driver_that_goes_away_costs_the_panel_not_the_app(ask: Ask, tmp_path: Path) -> None:
    before, after = ask(SCREEN % ((120, 40), True), gpus=2, gone=tmp_path / "gone").split("== later ==")
    assert "64°C" in before
    assert "64°C" not in after
    assert "7/9" in after
