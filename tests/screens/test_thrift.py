"""What the screens cost: bytes on the line, work while covered."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Sequence

from rich.console import Console
from textual.app import ComposeResult

from tests.screens.waiting import until
from tunewiz.language import N_
from tunewiz.tui.app import TunewizApp
from tunewiz.tui.screens.home import HomeScreen
from tunewiz.tui.screens.kinds import FullScreen
from tunewiz.tui.screens.runs import RunsScreen
from tunewiz.tui.terminal.pacing import Turns
from tunewiz.tui.terminal.patches import FineUpdate
from tunewiz.tui.widgets.drawing import Line
from tunewiz.tui.widgets.labels import KeyHints
from tunewiz.tui.widgets.sheet import Sheet


class Counter(Sheet):
    """A long line in which only the end changes."""

    count = 0

    def lines(self, width: int, height: int) -> Sequence[Line]:
        return [[("." * 60, "dim"), (f"{self.count:06}", "strong")]]


class Counting(FullScreen):
    def compose(self) -> ComposeResult:
        yield Counter()


async def test_only_what_changed_goes_down_the_line(app: TunewizApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(Counting())
        await pilot.pause()
        sheet = app.screen.query_one(Counter)
        updates: list[str] = []
        app._display = lambda screen, update: (  # type: ignore[method-assign]
            updates.append(update.render_segments(Console(color_system="256")))
            if isinstance(update, FineUpdate)
            else None
        )
        sheet.count = 7
        sheet.redraw()
        await until(pilot, lambda: updates)
        assert len(updates) == 1
        assert updates[0].startswith("\x1b[1;66H")
        assert "7" in updates[0]
        assert "." not in updates[0]
        assert len(updates[0]) < 60
        sheet.redraw()
        await pilot.pause(0.2)
        assert len(updates) == 1


class Boxes(FullScreen):
    DEFAULT_CSS = "Boxes Box { height: 5; border: round $dim; &:focus { border: round $accent; } }"

    def compose(self) -> ComposeResult:
        yield from (Box(id=f"box{number}") for number in range(4))


class Box(Counter, can_focus=True):
    """Something to focus."""


async def test_a_new_focus_repaints_what_lost_and_what_got_it(app: TunewizApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(Boxes())
        await until(pilot, lambda: app.focused)
        updates: list[object] = []
        app._display = lambda screen, update: updates.append(update)  # type: ignore[method-assign]
        await pilot.press("tab")
        await until(pilot, lambda: updates)
        assert app.focused is not None
        assert app.focused.id == "box1"
        lines: set[int] = set()
        for update in updates:
            assert isinstance(update, FineUpdate)
            lines |= {y for y, _, _ in update.spans}
        assert lines == set(range(10))


async def test_later_collections_pass_over_what_stands(app: TunewizApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        gc.unfreeze()
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await until(pilot, lambda: gc.get_freeze_count() > 10_000)
        assert len(gc.get_objects()) < gc.get_freeze_count()
    gc.unfreeze()


async def test_a_covered_screen_rests(app: TunewizApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        home = app.screen
        assert isinstance(home, HomeScreen)
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        looks = []
        home.on_home_screen_seen = looks.append  # type: ignore[method-assign,assignment]
        assert home._turns._covered
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is home)
        assert not home._turns._covered


def test_turns_come_at_intervals_rest_when_covered_and_end() -> None:
    turns, taken = Turns(), []

    def work() -> None:
        while turns.next(0.01):
            taken.append(time.monotonic())

    thread = threading.Thread(target=work)
    thread.start()
    while len(taken) < 5:
        time.sleep(0.005)
    turns.cover()
    time.sleep(0.05)
    count = len(taken)
    time.sleep(0.3)
    assert len(taken) <= count + 1
    turns.uncover()
    while len(taken) <= count + 2:
        time.sleep(0.005)
    turns.end()
    thread.join(5)
    assert not thread.is_alive()


async def test_a_click_on_a_hint_does_what_the_key_does(app: TunewizApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await asyncio.sleep(0.1)
        hints = app.screen.query_one(KeyHints)
        text = "".join(part for part, _ in hints.lines(hints.content_size.width, 1)[0])
        await pilot.click(hints, offset=(1 + text.index(f"r {N_('Runs')}") + 2, 0))
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        hints = app.screen.query_one(KeyHints)
        await pilot.click(hints, offset=(hints.size.width - 3, 0))
        await until(pilot, lambda: len(app.screen_stack) == 3)
