"""Pictures of the screens for the README: ``python -m tests.pictures [FOLDER]`` writes SVG files, by default its own.

What they show is played: a synthetic run (:mod:`tests.playing`) and the English or Chinese sample of questions.
Settings, drafts and caches are those of a new user; anyone can make the pictures again.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from tests.playing import a_run, closing, log_lines, opening, training
from tunewiz.backends.runs.events import Progress
from tunewiz.backends.runs.process import write_identity
from tunewiz.backends.runs.run import Run
from tunewiz.language import LANGUAGES, Language, use
from tunewiz.tui.app import TunewizApp
from tunewiz.tui.screens.messages import MonitorWanted, ResultWanted
from tunewiz.tui.terminal.looks import Settings
from tunewiz.tui.terminal.pictures import drawn

SIZE = (110, 34)
FOLDER = Path(__file__).with_suffix("")
PATIENCE = 60.0  # seconds


async def until(pilot: Pilot[Any], condition: Callable[[], object]) -> None:
    """Let the app run until ``condition`` holds, and what follows from it is drawn."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "a screen did not come to the state that is shown"
        await pilot.pause(0.05)
    await pilot.pause(1.2)  # curves are drawn once a second


def a_finished_run(runs: Path) -> Run:
    """A run with a verdict."""
    run = a_run(runs, "faq-20260101-090000")
    begun = time.time() - 3 * 3600  # the home screen tells how long ago it was
    for event in (*opening(run, begun), *training(600, begun + 10, 0.2), *closing(begun + 140)):
        run.emit(event)
    return run


def a_living_run(runs: Path, pid: int) -> Run:
    """A run in the middle of its training, of the process ``pid``."""
    run = a_run(runs, "faq-lora-20260101-120000")
    write_identity(run, pid)
    log_lines(run, "==> prepare\n==> baseline\n==> train\n")
    begun = time.time() - 120
    so_far = takewhile(lambda event: getattr(event, "step", 0) <= 380, training(600, begun + 10, 0.28))
    for event in (*opening(run, begun, pid), *so_far):
        run.emit(event)
        if isinstance(event, Progress) and "loss" in event.values:
            log_lines(run, f"step {event.step}: {event.values['loss']:.3f}\n")
    return run


async def take(folder: Path, language: Language) -> None:
    """Write the pictures in one language."""
    runs = Path(tempfile.mkdtemp())
    over = a_finished_run(runs)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        living = a_living_run(runs, child.pid)
        use(language)
        app = TunewizApp(runs, Settings(language=language, characters="unicode"))
        async with app.run_test(size=SIZE) as pilot:
            await until(pilot, lambda: getattr(app.screen, "living", ()))
            save(app, folder / f"home.{language}.svg")
            await wizard(app, pilot, folder, language)
            app.post_message(MonitorWanted(living))
            await until(pilot, lambda: getattr(getattr(app.screen, "view", None), "sample", None))
            save(app, folder / f"monitor.{language}.svg")
            app.post_message(ResultWanted(over))
            await until(pilot, lambda: getattr(app.screen, "state", None))
            save(app, folder / f"result.{language}.svg")
    finally:
        child.kill()
        child.wait()


async def wizard(app: TunewizApp, pilot: Pilot[Any], folder: Path, language: Language) -> None:
    """The data step with a sample, then the review; back to home."""
    app.open_wizard()
    await until(pilot, lambda: hasattr(app.screen, "step"))
    screen: Any = app.screen
    await pilot.press("ctrl+n")
    await until(pilot, lambda: screen.step.name == "data")
    await pilot.press(*f"sample:faq-{language}")
    await until(pilot, lambda: screen.state.current is not None and not screen.state.draft.missing())
    save(app, folder / f"data.{language}.svg")
    await until(pilot, lambda: screen.state.draft.value(("model", "source")) == "starter")
    await pilot.press(f"alt+{len(screen.state.steps)}")
    await until(pilot, lambda: screen.step.name == "review" and screen.state.checked)
    save(app, folder / f"review.{language}.svg")
    app.pop_screen()
    await pilot.pause()


def save(app: TunewizApp, file: Path) -> None:
    """Write the screen as it is."""
    picture = drawn(app, "tunewiz").replace("terminal-", "t")
    file.write_text("\n".join(line.rstrip() for line in picture.splitlines()) + "\n", encoding="utf-8")
    sys.stdout.write(f"{file}  {file.stat().st_size // 1024} KB\n")


def main() -> None:
    """All pictures in both languages."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "HF_HOME", "MODELSCOPE_CACHE"):
        os.environ[name] = tempfile.mkdtemp()
    os.environ["HF_HUB_OFFLINE"] = "1"
    for language in LANGUAGES:
        asyncio.run(take(folder, language))


if __name__ == "__main__":
    main()
