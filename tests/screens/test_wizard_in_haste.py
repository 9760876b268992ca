"""The wizard under hands that are faster than it: keys in bursts, steps left at once, lists open over other lines."""

from __future__ import annotations

import asyncio

from textual.events import Key

from tests.screens.test_wizard import answers, opened, row
from tests.screens.waiting import seen, until
from tunewiz.language import use
from tunewiz.tui.app import TunewizApp
from tunewiz.tui.forms.form import Row
from tunewiz.tui.screens.wizard import WizardScreen
from tunewiz.tui.widgets.pulldown import Pulldown


async def test_keys_that_arrive_together_find_what_those_before_them_led_to(app: TunewizApp) -> None:
    async with app.run_test(size=(120, 50)) as pilot:
        screen = await opened(app, pilot, answers(task="llm", method__type="lora"))
        await pilot.pause()
        for key in ("alt+4", "f6", "tab", "3", "2", "tab", "6", "4", "tab", "0", ".", "5", "alt+5", "tab"):
            app.post_message(Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: screen.step.name == "evaluation" and screen.state.draft.value(("method", "dropout")))
        values = [screen.state.draft.value(("method", key)) for key in ("rank", "alpha", "dropout")]
        assert values == [32, 64, 0.5]


async def test_an_open_list_shows_every_character_over_the_edges_of_what_lies_below(app: TunewizApp) -> None:
    use("zh")
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(app, pilot, answers(task="llm", method__type="lora"))
        await pilot.press("f6", "alt+2")
        await until(pilot, lambda: screen.step.name == "data" and screen.state.advanced and screen.query(Pulldown))
        wanted = row(screen, "data.format")
        wanted.take_focus()
        await pilot.press("enter")
        await until(pilot, lambda: wanted.query_one(Pulldown).opened)
        await until(pilot, lambda: "写在一段文本里的对话" in seen(app))
        assert "分类（文本与标签）" in seen(app)
        await pilot.press("down", "enter")
        await until(pilot, lambda: screen.state.draft.value(("data", "format")) == "alpaca")
        assert not wanted.query_one(Pulldown).opened and app.focused is wanted.query_one(Pulldown)


async def test_a_step_may_be_left_while_its_rows_are_still_being_made(app: TunewizApp) -> None:
    async with app.run_test(size=(200, 50)) as pilot:
        screen = await opened(app, pilot, answers(task="llm", method__type="lora"))
        await pilot.press("f6")
        for number in range(12):
            screen.action_go_to(4)
            await until_step(screen, "method")
            await asyncio.sleep(0.05 + number * 0.01)
            screen.action_go_to(2)
            await until_step(screen, "data")
        await pilot.pause()
        assert screen.query(Row) and app.return_code is None


async def until_step(screen: WizardScreen, name: str) -> None:
    for _ in range(2000):
        if screen._view is not None and screen._view.step.name == name and screen._view.is_attached:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(name)
