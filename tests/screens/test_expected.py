"""What people expect of such a screen: curves in pages, answers, pictures, copies, a palette that finds, all runs."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from textual.widgets import Input

from tests.playing import a_run, opening, training
from tests.screens.test_result import write_report
from tests.screens.waiting import seen, until
from tunewiz.backends.runs.events import Answered, Evaluated, Finished, Progress
from tunewiz.backends.runs.process import write_identity
from tunewiz.backends.runs.run import Run
from tunewiz.tui.app import TunewizApp
from tunewiz.tui.dialogs.query import QueryScreen
from tunewiz.tui.machine.models import ModelsScreen
from tunewiz.tui.machine.top import TopScreen
from tunewiz.tui.panels.pages import ANSWERS, LossPanel, OverlayPanel
from tunewiz.tui.screens.comparison import ComparisonScreen
from tunewiz.tui.screens.lesson import LessonScreen
from tunewiz.tui.screens.messages import ComparisonWanted, ModelsWanted, ResultWanted, TopWanted
from tunewiz.tui.screens.monitor import MonitorScreen
from tunewiz.tui.screens.result import ResultScreen
from tunewiz.tui.terminal.escapes import clipboard, notification
from tunewiz.tui.terminal.looks import Settings


@pytest.fixture
def run(runs: Path) -> Iterator[Run]:
    """A run in the middle of training, with sample answers."""
    run = a_run(runs)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    write_identity(run, child.pid)
    for event in (*opening(run, time.time() - 120, child.pid), *training(200, time.time() - 110, 1.0)):
        if getattr(event, "step", 0) <= 100:
            run.emit(event)
    run.emit(Answered(step=100, answers=({"prompt": "May I?", "expected": "Yes.", "answer": "You may \x1b[31m so."},)))
    yield run
    child.kill()
    child.wait()


async def test_pages_of_curves_answers_a_picture_and_all_runs(
    runs: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = TunewizApp(runs, Settings(), first=run)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen) and app.screen.view is not None)
        panel = app.screen.query_one(LossPanel)
        assert panel.pages == ["loss", "eval_ndcg@10", "cosines", "gpu_memory", "gpu_utilisation", ANSWERS]
        await until(pilot, lambda: "smoothed" in seen(app))
        await pilot.press("right", "left")
        step, column = panel.step_at_cursor(), panel.cursor
        for at in range(101, 190):
            run.emit(Progress(stage="train", step=at, total=200, values={"loss": 1.0}))
        await until(pilot, lambda: "189/200" in seen(app))
        await until(pilot, lambda: panel.cursor != column)
        assert panel.step_at_cursor() == step  # the axis moved on, the step that is read did not
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: "ndcg@10" in seen(app) and "held out 0.6" in seen(app))
        await pilot.press("a")
        await until(pilot, lambda: "May I?" in seen(app) and "step 100" in seen(app))
        assert "\x1b" not in seen(app)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: list(tmp_path.glob("tunewiz-monitor-*.png")))
        picture = next(tmp_path.glob("tunewiz-monitor-*.svg")).read_text("utf-8")
        assert "@font-face" not in picture
        assert "url(http" not in picture  # whoever looks at it fetches nothing
        assert next(tmp_path.glob("tunewiz-monitor-*.png")).read_bytes().startswith(b"\x89PNG")
        app.post_message(TopWanted())
        await until(pilot, lambda: isinstance(app.screen, TopScreen) and run.name in seen(app))
        assert "Processes" in seen(app)
        await pilot.press("y")
        await until(pilot, lambda: "tunewiz watch" in seen(app))
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.clipboard == f"tunewiz watch {run.directory}")


async def test_a_query_opens_with_its_documents_and_a_measure_with_its_lesson(
    app: TunewizApp, finished: Callable[..., Run]
) -> None:
    run = finished()
    write_report(run)
    (run.data / "corpus.jsonl").write_text("\n".join(f'{{"_id":"d{n}","text":"document {n}"}}' for n in range(9)))
    (run.data / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq9\td4\t1\nq9\td5\t0\n")
    for when, order in (("before", (1, 2, 3, 4)), ("after", (4, 1, 2, 3))):
        lines = (f"q9\tQ0\td{name}\t{rank}\t0.{9 - rank}\tx\n" for rank, name in enumerate(order, 1))
        (run.report / f"{when}.run.tsv").write_text("".join(lines))
    async with app.run_test(size=(120, 50)) as pilot:
        app.post_message(ResultWanted(run))
        await until(pilot, lambda: isinstance(app.screen, ResultScreen) and "WIN" in seen(app))
        await pilot.press("tab", "enter")
        await until(pilot, lambda: isinstance(app.screen, LessonScreen) and "nDCG" in seen(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ResultScreen))
        await pilot.press(*["tab"] * 5, "enter")
        await until(pilot, lambda: isinstance(app.screen, QueryScreen) and "right: rank 4 → 1" in seen(app))
        assert seen(app).count("document 4") >= 3
        assert "✓  1" in seen(app)


async def test_runs_compared_lie_over_one_another(app: TunewizApp, finished: Callable[..., Run]) -> None:
    both = finished("one-20260101-120000"), finished("two-20260101-130000", -0.02)
    async with app.run_test(size=(100, 40)) as pilot:
        app.post_message(ComparisonWanted(both))
        await until(pilot, lambda: isinstance(app.screen, ComparisonScreen) and "━ one-2026" in seen(app))
        panel = app.screen.query_one(OverlayPanel)
        assert [label for label, _ in panel.page().curves] == [run.name for run in both]
        assert {"loss", "eval_loss", "eval_ndcg@10", "margin"} <= set(panel.pages)
        await pilot.press("y")
        assert app.clipboard == f"tunewiz compare {both[0].name} {both[1].name}"


async def test_the_palette_finds_a_setting_and_a_model_is_searched(app: TunewizApp) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.focused, Input))
        await pilot.press(*"warmup")
        await until(pilot, lambda: "training.warmup" in seen(app))
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.focused, Input) or "training.warmup" in seen(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, LessonScreen) and "training.warmup" in seen(app))
        await pilot.press("escape")
        app.post_message(ModelsWanted())
        await until(pilot, lambda: isinstance(app.screen, ModelsScreen) and "bge-m3" in seen(app))
        await pilot.press("slash", *"bge-small-zh")
        await until(pilot, lambda: "bge-small-zh-v1.5" in seen(app) and "bge-m3" not in seen(app))


def test_what_is_sent_to_the_terminal_gets_out_of_tmux_and_screen() -> None:
    text = base64.b64encode("路径 x".encode()).decode()
    plain = f"\x1b]52;c;{text}\a"
    assert clipboard("路径 x", {"TERM": "xterm-256color"}) == plain
    assert clipboard("路径 x", {"TMUX": "/tmp/s,1,0", "TERM": "screen"}) == f"{plain}\x1bPtmux;\x1b{plain}\x1b\\"
    assert clipboard("路径 x", {"STY": "1.x"}) == f"\x1bP{plain}\x1b\\"
    long = clipboard("x" * 3000, {"TERM": "screen.xterm"})
    assert "".join(long.split("\x1b\\\x1bP"))[2:-2] == clipboard("x" * 3000, {})
    assert clipboard("x" * 80_000, os.environ) == ""
    told = notification("Tunewiz", "run;\x1b]0;bad\a done", {})
    assert told.startswith("\a\x1b]777;notify;Tunewiz;run,")
    assert told.count("\x1b") == 2


@pytest.mark.parametrize("quiet", [False, True])
async def test_the_end_of_a_run_rings_unless_that_is_switched_off(quiet: bool, runs: Path, run: Run) -> None:
    app = TunewizApp(runs, Settings(quiet=quiet), first=run)
    sent: list[str] = []
    app._send = sent.append  # type: ignore[method-assign]
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen) and app.screen.view is not None)
        run.emit(Evaluated(when="after", metrics={"ndcg@10": 0.7}))
        run.emit(Finished(verdict="WIN"))
        await until(pilot, lambda: isinstance(app.screen, ResultScreen))
        assert ["WIN" in one for one in sent] == ([] if quiet else [True])
