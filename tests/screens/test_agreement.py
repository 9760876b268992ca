"""Rail, status, list of problems, F7 and F5 say the same after any edit; a draft outlives a run that never trained."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList, TabbedContent, TextArea

from tests.playing import a_run, opening, training
from tests.screens.waiting import seen, until
from tunewiz.backends.runs.run import Run
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.drafts.kept import drafts
from tunewiz.presets.preset import Preset
from tunewiz.presets.yaml.library import loads
from tunewiz.problems import errors
from tunewiz.tui.app import TunewizApp
from tunewiz.tui.screens.wizard import WizardScreen
from tunewiz.tui.wizard.frame import Needs, Rail
from tunewiz.tui.wizard.keeping import unfinished
from tunewiz.tui.wizard.step import View

READY = "Ready to start."


def begun() -> Draft:
    preset = loads(
        "task: embedding\nname: mine\nmodel: {id: all-MiniLM-L6-v2, source: starter}\n"
        "data: {train: sample:faq-en}\nloss: {name: multiple_negatives_ranking}\n"
    )
    return Draft.of(preset, str(Path.cwd()))


async def opened(app: TunewizApp, pilot: Pilot[object], start: object) -> WizardScreen:
    app.open_wizard(start)
    await until(pilot, lambda: isinstance(app.screen, WizardScreen) and app.screen.query(View))
    screen = app.screen
    assert isinstance(screen, WizardScreen)
    return screen


def text_of(sheet: Rail | Needs) -> str:
    return "\n".join("".join(part for part, _ in line) for line in sheet.lines(118, 10))


async def agree(pilot: Pilot[object], screen: WizardScreen, started: list[Preset]) -> bool:
    """Whether it can start; every place that tells was asked and said so."""
    await until(pilot, lambda: screen.state.checked and not screen._starting)
    wrong = errors(screen.state.problems)
    rail, status = text_of(screen.query(Rail).first()), text_of(screen.query_one(Needs))
    assert (READY in status) == (not wrong), status
    assert ("✗" in rail or "○" in rail) == bool(wrong), (rail, wrong)
    if screen.step.name == "review":
        listed = screen.query_one("#problems", OptionList)
        told = "\n".join(str(option.prompt) for option in listed.options)
        await until(pilot, lambda: ("✗" in "\n".join(str(one.prompt) for one in listed.options)) == bool(wrong))
        assert all(problem.message.text() in told for problem in wrong) or len(told) > 0
        label = str(screen.query_one("#tabs", TabbedContent).get_tab("tab-problems").label)
        assert ("✗" in label) == bool(wrong)
    before, notes = len(started), len(pilot.app._notifications)
    await pilot.press("f5")
    await until(pilot, lambda: len(started) > before or len(pilot.app._notifications) > notes)
    assert (len(started) > before) == (not wrong)
    screen._started_at = -100.0
    await pilot.pause()
    pilot.app.clear_notifications()
    await pilot.press("f7")
    await pilot.pause()
    # F7 says that there is nothing exactly where there is nothing.
    nothing = any("There is no problem." in note.message for note in pilot.app._notifications)
    assert nothing == (not screen.state.problems)
    pilot.app.clear_notifications()
    return not wrong


async def test_all_places_agree_after_any_edit(app: TunewizApp, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Preset] = []
    monkeypatch.setattr(type(app), "on_wizard_screen_start", lambda _app, message: started.append(message.preset))
    draw = random.Random(3)
    fields: list[tuple[tuple[str, ...], list[object]]] = [
        (("data", "train"), ["/no/such/file.csv", "sample:faq-en", ""]),
        (("training", "epochs"), ["many", 3, -1]),
        (("name",), ["bad name!", "good", ""]),
        (("model", "id"), ["/no/such/folder", "all-MiniLM-L6-v2"]),
        (("loss", "name"), ["no_such_loss", "multiple_negatives_ranking"]),
    ]
    texts = ["epochs: nine", "epoch: 9", "epochs: [", "epochs: 4.0"]
    outcomes = set()
    async with app.run_test(size=(120, 50)) as pilot:
        screen = await opened(app, pilot, begun())
        await until(pilot, lambda: screen.state.machine is not None)
        outcomes.add(await agree(pilot, screen, started))
        for number in range(10):
            path, values = draw.choice(fields)
            await screen._change(screen.state.draft.answer(path, draw.choice(values)))
            if number % 3 == 2:
                for again, good in fields:
                    value = next(one for one in reversed(good) if one not in ("", -1))
                    await screen._change(screen.state.draft.answer(again, value))
            outcomes.add(await agree(pilot, screen, started))
        for again, good in fields:
            value = {"data": "sample:faq-en", "training": 3, "name": "good"}.get(again[0], good[-1])
            await screen._change(screen.state.draft.answer(again, value))
        for text in texts:
            await pilot.press("alt+7")
            await until(pilot, lambda: screen.step.name == "review" and screen.query("#yaml"))
            area = screen.query_one("#yaml", TextArea)
            await until(pilot, lambda area=area: "epochs: " in area.text)
            area.text = area.text.replace("epochs: 3.0", text)
            assert not screen.state.checked or screen.state.unfinished or text in area.text
            await until(pilot, lambda: screen.state.unfinished == "" or screen.state.text_problems is not None)
            outcomes.add(await agree(pilot, screen, started))
            area.text = area.text.replace(text, "epochs: 3.0")
            await until(pilot, lambda: not screen.state.unfinished)
    assert outcomes == {True, False}


async def test_a_broken_text_is_where_f7_goes(app: TunewizApp) -> None:
    async with app.run_test(size=(120, 50)) as pilot:
        screen = await opened(app, pilot, begun().answer(("training", "epochs"), 3))
        await pilot.press("alt+7")
        await until(pilot, lambda: "epochs: " in screen.query_one("#yaml", TextArea).text)
        area = screen.query_one("#yaml", TextArea)
        line = next(n for n, text in enumerate(area.text.splitlines()) if text.strip().startswith("epochs:"))
        area.text = area.text.replace("epochs: ", "epochs: [")
        await until(pilot, lambda: screen.state.text_problems)
        await pilot.press("alt+4")
        await until(pilot, lambda: screen.step.name == "method")
        assert "cannot be read yet" in seen(app)
        await pilot.press("f7")
        await until(pilot, lambda: screen.step.name == "review" and screen.focused is screen.query_one("#yaml"))
        assert abs(screen.query_one("#yaml", TextArea).cursor_location[0] - line) < 8  # where the list is missed to end


@pytest.mark.parametrize("trains", [False, True])
async def test_a_draft_is_over_only_once_its_run_trains(app: TunewizApp, runs: Path, trains: bool) -> None:
    run = a_run(runs, "mine-20260101-120000")
    async with app.run_test(size=(120, 50)) as pilot:
        screen = await opened(app, pilot, begun())
        await screen._change(screen.state.draft.answer(("training", "epochs"), 2))
        await until(pilot, lambda: drafts())
        screen.started(run)
        app.pop_screen()
        await pilot.pause()
    for event in (*opening(run, 1000.0), *(training(5, 1010.0, 1.0) if trains else ())):
        run.emit(event)
    assert [kept.draft.value(("training", "epochs")) for kept in unfinished()] == ([] if trains else [2])
    assert [Run(Path(kept.run)) for kept in drafts()] == ([] if trains else [run])
