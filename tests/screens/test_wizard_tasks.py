"""Each task from its sample to a preset that its backend takes, by the wizard's own steps and suggestions."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from textual.widgets import OptionList, Static, TabbedContent

from tests.screens.waiting import seen, until
from tunewiz.language import use
from tunewiz.presets import tasks
from tunewiz.presets.drafts.draft import Draft
from tunewiz.problems import errors
from tunewiz.tui.app import TunewizApp
from tunewiz.tui.forms.form import Row
from tunewiz.tui.machine.models import ModelChoice
from tunewiz.tui.screens.wizard import WizardScreen
from tunewiz.tui.wizard.step import View, steps_for

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


@pytest.mark.skipif(not find_spec("llamafactory"), reason="LLaMA-Factory is not installed")
@pytest.mark.timeout(300)
async def test_rows_are_shown_as_the_model_reads_them(app: TunewizApp, tiny_llm: Path, tmp_path: Path) -> None:
    rows = [{"instruction": f"how do i resume {number}", "output": "to resume run it"} for number in range(20)]
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    draft = begun("llm", str(file)).answer(("model", "id"), str(tiny_llm)).answer(("model", "source"), "local")
    async with app.run_test(size=(120, 60)) as pilot:
        screen = await opened(app, pilot, draft)
        await until(pilot, lambda: screen.state.current is not None and not screen.state.draft.missing())
        await pilot.press(f"alt+{len(steps_for(screen.state.draft))}")
        await until(pilot, lambda: screen.step.name == "review")
        tabs = screen.query_one("#tabs", TabbedContent)
        await pilot.press("ctrl+t", "ctrl+t", "ctrl+t", "ctrl+t")
        assert tabs.active == "tab-rows"
        await until(pilot, lambda: "tokens, " in seen(app) and "of them learned" in seen(app), seconds=120)
        assert "<|im_start|>user" in seen(app)
        assert "to resume run it<|im_end|>" in seen(app)
        await pilot.press("ctrl+t")
        assert tabs.active == "tab-summary"


async def test_tasks_without_a_chat_have_no_rows_to_show(app: TunewizApp) -> None:
    async with app.run_test(size=(120, 50)) as pilot:
        screen = await opened(app, pilot, begun("embedding", "sample:faq-en"))
        await until(pilot, lambda: screen.state.current is not None and not screen.state.draft.missing())
        await pilot.press(f"alt+{len(steps_for(screen.state.draft))}")
        await until(pilot, lambda: screen.step.name == "review")
        await until(pilot, lambda: not screen.query_one("#tabs", TabbedContent).get_tab("tab-rows").display)


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


async def test_any_model_that_the_library_knows_is_found_and_taken(app: TunewizApp) -> None:
    draft = Draft(folder=str(Path.cwd())).answer(("task",), "llm")
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(app, pilot, draft)
        await pilot.press("alt+3")
        await until(pilot, lambda: "Which model" in seen(app))
        await pilot.press("slash")
        await until(pilot, lambda: isinstance(app.screen, ModelChoice) and bool(app.screen.others))
        choice = app.screen
        assert isinstance(choice, ModelChoice)
        assert all("llm" in row.task.split() for row in choice.rows())
        await pilot.press(*"internlm chat 7b")
        await until(pilot, lambda: "internlm" in seen(app) and 0 < len(choice.shown) < 20)
        name = choice.shown[0].id
        await pilot.press("enter", "enter")
        await until(pilot, lambda: app.screen is screen and screen.state.draft.value(("model", "id")) == name)


async def test_a_key_that_a_line_of_text_takes_is_not_offered(app: TunewizApp) -> None:
    draft = Draft(folder=str(Path.cwd())).answer(("task",), "llm")
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, pilot, draft)
        await pilot.press("alt+3")
        await until(pilot, lambda: "/ Search" in seen(app).splitlines()[-1])
        next(row for row in screen.query(Row) if row.question.key == "model.id").take_focus()
        await until(pilot, lambda: "/ Search" not in seen(app).splitlines()[-1])
        assert "a All or fitting" not in seen(app).splitlines()[-1]


async def test_choosing_a_task_leaves_the_choice_where_it_is(app: TunewizApp) -> None:
    """Its fields are made anew; the focus went by way of the presets below, and the step scrolled to them."""
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(WizardScreen())
        await pilot.pause()
        await pilot.press("down", "enter")
        await pilot.pause(0.5)
        screen = app.screen
        assert isinstance(screen, WizardScreen) and screen.state.draft.value(("task",)) == "llm"
        view = screen.query_one(View)
        assert view.scroll_y == 0
        question = view.question_at(app.focused)
        assert question is not None and question.key == "task"
