"""A sweep on the review: typed in a line, told with its runs, and a preset that stands for them."""

from __future__ import annotations

from tests.screens.test_wizard import answers, opened, row, words
from tests.screens.waiting import seen, until
from tunewiz.presets.sweeping import points
from tunewiz.tui.app import TunewizApp
from tunewiz.tui.forms.form import Row


async def test_a_sweep_is_typed_at_the_review_and_told_with_its_runs(app: TunewizApp) -> None:
    async with app.run_test(size=(120, 50)) as pilot:
        screen = await opened(app, pilot, answers(data__train="sample:faq-en", model__id="starter"))
        await pilot.press("alt+7", "f6")
        await until(pilot, lambda: any(one.question.key == "sweep" for one in screen.query(Row)))
        row(screen, "sweep").take_focus()
        await pilot.press(*"training.learning_rate=1e-5,2e-5")
        await until(pilot, lambda: "2 runs, each with other values" in seen(app))
        preset = screen.state.draft.preset()
        assert [point.preset.training.learning_rate for point in points(preset)] == [1e-5, 2e-5]
        await pilot.press(*["backspace"] * 4, *"many")
        await until(pilot, lambda: "Point training.learning_rate=many" in words(screen, "sweep"))
