"""Typing as people type: in bursts, by input methods, on a machine that answers late."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest
from textual.app import App, ComposeResult
from textual.events import Key
from textual.widgets import Input

from tests.screens.waiting import until
from tunewiz.presets.drafts.draft import Draft
from tunewiz.tui.forms.controls import Answered, Cleared
from tunewiz.tui.forms.entry import Entry
from tunewiz.tui.forms.questions import Question, questions
from tunewiz.tui.widgets.typed import TextBox, TextLine

pytestmark = pytest.mark.usefixtures("in_english")

LETTERS = "ab 5e-.校园问答微调😀é_/~"


class Late(App[None]):
    """One field of a draft; what is answered comes back to it later, and now and then an older draft once more."""

    def __init__(self, key: str, seed: int) -> None:
        super().__init__()
        self.draft = Draft().answer(("task",), "embedding")
        found = questions(self.draft, self.draft.paths(), {})
        self.question = next(item for item in found if isinstance(item, Question) and item.key == key)
        self._random = random.Random(seed)

    def compose(self) -> ComposeResult:
        yield Entry(self.question, self.draft)
        yield Input(id="other")

    @property
    def entry(self) -> Entry:
        return self.query_one(Entry)

    async def on_answered(self, event: Answered) -> None:
        await self._become(self.draft.answer(event.path, event.value))

    async def on_cleared(self, event: Cleared) -> None:
        await self._become(self.draft.forget(event.path))

    async def _become(self, draft: Draft) -> None:
        older, self.draft = self.draft, draft
        if self._random.random() < 0.3:
            self.entry.show(older)
        await asyncio.sleep(self._random.choice((0, 0, 0.001, 0.01)))
        self.entry.show(draft)


def bursts(draw: random.Random, text: str) -> Iterator[str]:
    while text:
        length = draw.randint(1, 20)
        yield text[:length]
        text = text[length:]


@pytest.mark.parametrize("key", ["name", "data.train", "training.learning_rate", "evaluation.k", "data.columns"])
async def test_what_is_typed_stays_as_it_was_typed(key: str) -> None:
    draw = random.Random(key)
    app = Late(key, 1)
    async with app.run_test() as pilot:
        box = app.entry.query_one(Input)
        box.focus()
        await pilot.pause()
        for _ in range(25):
            text = "".join(draw.choice(LETTERS) for _ in range(draw.randint(1, 30)))
            for burst in bursts(draw, text):
                for letter in burst:
                    box.insert_text_at_cursor(letter)
                await asyncio.sleep(draw.choice((0, 0.002, 0.02)))
            await until(pilot, lambda: app.entry._held() == app.entry._meant(box.value))
            assert box.value == text
            assert box.cursor_position == len(text)
            box.clear()
            await until(pilot, lambda: not app.draft.is_answered(app.question.path))


async def test_a_number_is_written_the_usual_way_once_the_field_is_left() -> None:
    app = Late("training.learning_rate", 2)
    async with app.run_test() as pilot:
        box = app.entry.query_one(Input)
        box.focus()
        await pilot.press(*"5e-5")
        await until(pilot, lambda: app.draft.value(app.question.path) == 5e-5)
        assert box.value == "5e-5"
        app.query_one("#other").focus()
        await until(pilot, lambda: box.value == app.question.write(5e-5))
        assert app.draft.value(app.question.path) == 5e-5


async def test_what_is_chosen_elsewhere_is_shown_also_in_the_field_in_use() -> None:
    app = Late("data.train", 3)
    async with app.run_test() as pilot:
        box = app.entry.query_one(Input)
        box.focus()
        await pilot.press(*"rows")
        await until(pilot, lambda: app.draft.value(app.question.path) == "rows")
        app.draft = app.draft.answer(app.question.path, "/data/rows.jsonl")
        app.entry.show(app.draft)
        assert box.value == "/data/rows.jsonl"
        app.draft = app.draft.forget(app.question.path)
        app.entry.show(app.draft)
        assert box.value == ""


class Busy(App[None]):
    """A line and a text."""

    def compose(self) -> ComposeResult:
        yield TextLine()
        yield TextBox()


@pytest.mark.parametrize("kind", [TextLine, TextBox])
async def test_keys_that_arrive_together_take_effect_in_their_order(kind: type[TextLine | TextBox]) -> None:
    app = Busy()
    async with app.run_test() as pilot:
        box = app.query_one(kind)
        box.focus()
        await pilot.pause()
        app.screen.call_later(asyncio.sleep, 0.5)  # what a screen takes to settle a draft on a busy machine
        for key, letter in (("a", "a"), ("b", "b"), ("backspace", None), ("c", "c"), ("left", None), ("d", "d")):
            app.post_message(Key(key, letter))
        app.post_message(Key("ctrl+u", None))
        app.post_message(Key("e", "e"))
        await until(pilot, lambda: (box.value if isinstance(box, TextLine) else box.text) == "ec")
