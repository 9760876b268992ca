"""Forms with many rows: those in sight are there first, the others follow."""

from __future__ import annotations

import asyncio

import pytest
from textual.app import ComposeResult
from textual.containers import VerticalScroll

from tests.screens.waiting import PATIENCE
from tunewiz.presets.drafts.draft import Draft
from tunewiz.tui.forms.form import AHEAD, FIRST, Form
from tunewiz.tui.forms.questions import Question
from tunewiz.tui.terminal.looks import LooksApp, Settings
from tunewiz.tui.wizard.step import questions_of, steps_for

DRAFT = Draft(answers={"task": "llm", "method": {"type": "lora"}})
ITEMS = next(
    questions_of(step, DRAFT, True) for step in steps_for(DRAFT) if step.name == "method"
)  # every key of the longest step


class Page(LooksApp):
    CSS = "Form, Row, Control { height: auto; }"

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Form(roomy=False)


async def whole(form: Form) -> None:
    for _ in range(int(PATIENCE / 0.05)):
        if form.whole:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{len(form.rows)} rows")


async def test_the_first_rows_are_there_at_once_and_the_others_in_order_after_them() -> None:
    app = Page(Settings())
    async with app.run_test(size=(120, 30)):
        form = app.query_one(Form)
        await form.ask(ITEMS, DRAFT, (), {})
        assert len(form.children) == FIRST < len(ITEMS)
        await whole(form)
        asked = [item for item in ITEMS if isinstance(item, Question)]
        assert [row.question for row in form.rows] == asked
        assert len(form.children) == len(ITEMS)


async def test_the_cursor_goes_to_a_row_that_is_not_there_yet() -> None:
    app = Page(Settings())
    async with app.run_test(size=(120, 30)):
        form = app.query_one(Form)
        await form.ask(ITEMS, DRAFT, (), {})
        last = [item for item in ITEMS if isinstance(item, Question)][-1]
        assert last not in [row.question for row in form.rows]
        assert form.focus_on(last.path)
        await whole(form)
        for _ in range(100):
            if form.question_at(app.focused) == last:
                break
            await asyncio.sleep(0.05)
        assert form.question_at(app.focused) == last


async def test_other_questions_take_the_place_of_rows_that_are_still_being_made() -> None:
    app = Page(Settings())
    async with app.run_test(size=(120, 30)):
        form = app.query_one(Form)
        await form.ask(ITEMS, DRAFT, (), {})
        few = [item for item in ITEMS if isinstance(item, Question)][:3]
        await form.ask(few, DRAFT, (), {})
        await whole(form)
        assert [row.question for row in form.rows] == few
        assert len(form.children) == len(few)


async def settled(form: Form) -> None:
    for _ in range(int(PATIENCE / 0.05)):
        if form.complete:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{len(form.rows)} rows")


async def test_rows_out_of_sight_are_made_when_somebody_scrolls_near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Form, "ahead", AHEAD)
    app = Page(Settings())
    async with app.run_test(size=(120, 12)) as pilot:
        form, around = app.query_one(Form), app.query_one(VerticalScroll)
        await form.ask(ITEMS, DRAFT, (), {})
        await settled(form)
        await pilot.pause()
        assert FIRST < len(form.children) < len(ITEMS) / 2
        # The bar beside them is that of all rows, those out of sight a line each.
        assert around.max_scroll_y >= len(ITEMS) - 12
        around.scroll_end(animate=False)
        await pilot.pause()
        await whole(form)
        assert len(form.children) == len(ITEMS)


async def test_keys_in_a_burst_reach_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Form, "ahead", AHEAD)
    app = Page(Settings())
    async with app.run_test(size=(120, 12)) as pilot:
        form = app.query_one(Form)
        asked = [item for item in ITEMS if isinstance(item, Question)]
        await form.ask(ITEMS, DRAFT, (), {})
        form.focus_on(asked[0].path)
        await pilot.pause()
        assert len(form.rows) < len(asked)
        await pilot.press(*["tab"] * (len(asked) - 1))
        await pilot.pause()
        assert form.question_at(app.focused) == asked[-1]
