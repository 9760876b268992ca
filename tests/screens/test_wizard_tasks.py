"""Each task from its sample to a preset that its backend takes, by the wizard's own steps and suggestions."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from textual.widgets import OptionList, Static

from data.language import use
from data.problems import errors
from presets import tasks
from presets.draft import Draft
from tests.screens.waiting import seen, until
from tui.app import TunewizApp
from tui.forms.row import Row
from tui.screens.wizard import WizardScreen
from tui.steps import steps_for
from tui.wizard.view import View

SAMPLES = {
    "embedding": ("sample:faq-en", "sentence_transformers"),
    "reranker": ("sample:faq-en", "cross_encoder"),
    "pipeline": ("sample:faq-en", "pipeline"),
    "comparison": ("sample:faq-en", "comparison"),
    "llm": ("sample:intents-en", "llama_factory"),
}


def begun(task: str, data: str) -> Draft:
    return Draft(folder=str(Path.cwd())).answer(("task",), task).answer(("data", "train"), data)


async def opened(app: TunewizApp, pilot: object, draft: Draft) -> WizardScreen:
    app.open_wizard(draft)
    await until(pilot, lambda: isinstance(app.screen, WizardScreen) and app.screen.query(View))  # type: ignore[arg-type]
    assert isinstance(app.screen, WizardScreen)
    return app.screen


async def test_every_task_is_offered_with_what_it_is_for(app: TunewizApp) -> None:
    async with app.run_test(size=(120, 50)) as pilot:
        screen = await opened(app, pilot, Draft(folder=str(Path.cwd())))
        row = next(one for one in screen.query(Row) if one.question.key == "task")
        assert {choice.value for choice in row.question.choices} == set(tasks.catalogue())
        assert all(choice.meaning for choice in row.question.choices)
        assert row.query_one(OptionList).option_count == len(tasks.catalogue())


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("task", SAMPLES)
async def test_a_task_is_ready_once_its_data_is_named(app: TunewizApp, task: str, language: str) -> None:
    data, backend = SAMPLES[task]
    use(language)  # type: ignore[arg-type]
    async with app.run_test(size=(120, 50)) as pilot:
        screen = await opened(app, pilot, begun(task, data))
        await until(pilot, lambda: screen.state.current is not None and not screen.state.draft.missing())
        assert not errors(screen.state.draft.problems())
        assert screen.state.current is not None
        assert not any(one.severity == "error" for one in screen.state.current.inspection.findings)
        assert screen.state.draft.value(("backend",)) == backend
        names = [step.name for step in steps_for(screen.state.draft)]
        assert ("loss" in names) == (task != "llm")
        assert screen.state.estimate is not None
        for number, name in enumerate(names, 1):
            await pilot.press(f"alt+{number}")
            await until(pilot, lambda name=name: screen.step.name == name)
        native = screen.query_one("#native", Static)
        await until(pilot, lambda: "tunewiz run" in str(native.render()))


async def test_conversations_are_shown_turn_by_turn_with_their_labels(app: TunewizApp) -> None:
    async with app.run_test(size=(120, 80)) as pilot:
        screen = await opened(app, pilot, begun("llm", "sample:intents-en"))
        await pilot.press("alt+2")
        await until(pilot, lambda: screen.state.current is not None)
        await until(pilot, lambda: "A conversation" in seen(app) and "Labels: 8" in seen(app))
        await until(pilot, lambda: "256 rows to train on, 32 to watch by, 32 to measure on" in seen(app))


@pytest.mark.parametrize("method", ["qlora", "full", "freeze", "oft"])
async def test_a_method_brings_its_own_fields(app: TunewizApp, method: str) -> None:
    async with app.run_test(size=(120, 80)) as pilot:
        draft = begun("llm", "sample:intents-en").answer(("method", "type"), method)
        screen = await opened(app, pilot, draft)
        await pilot.press("alt+4", "f6")
        await until(pilot, lambda: screen.state.advanced and screen.query(Row))
        own = {".".join(path) for path in screen.state.draft.paths(("method",))} - {"method"}
        shown = {row.question.key for row in screen.query(Row)}
        assert own <= shown
        assert "method.rank" not in shown or method == "qlora"


@pytest.mark.skipif(not find_spec("FlagEmbedding"), reason="FlagEmbedding is not installed")
async def test_another_backend_offers_its_own_losses(app: TunewizApp) -> None:
    async with app.run_test(size=(120, 80)) as pilot:
        draft = begun("embedding", "sample:faq-en").answer(("backend",), "flag_embedding")
        screen = await opened(app, pilot, draft)
        await pilot.press("alt+5")
        await until(pilot, lambda: screen.state.current is not None and screen.step.name == "loss")
        assert screen.state.draft.value(("loss", "name")) == "info_nce"
        loss = next(row for row in screen.query(Row) if row.question.key == "loss.name")
        offered = {choice.value for choice in loss.question.choices}
        assert "info_nce" in offered
        assert "triplet" not in offered
