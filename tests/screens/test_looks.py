"""Language, theme, characters, sizes, help and the palette."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.widgets import Input

from tests.screens.waiting import seen, until
from tunewiz.backends.runs.run import Run
from tunewiz.language import current
from tunewiz.tui.app import TunewizApp
from tunewiz.tui.screens.help import HelpScreen
from tunewiz.tui.screens.home import HomeScreen
from tunewiz.tui.screens.messages import MonitorWanted, ResultWanted
from tunewiz.tui.screens.monitor import MonitorScreen
from tunewiz.tui.screens.result import ResultScreen
from tunewiz.tui.screens.runs import RunsScreen
from tunewiz.tui.terminal.characters import characters
from tunewiz.tui.terminal.looks import Settings, read_settings, settings_file
from tunewiz.tui.terminal.pictures import drawn

Make = Callable[..., Run]


async def test_the_language_switches_live_on_every_screen(app: TunewizApp, finished: Make) -> None:
    run = finished()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        assert "New fine-tune" in seen(app)
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and run.name in seen(app))
        app.post_message(ResultWanted(run))
        await until(pilot, lambda: isinstance(app.screen, ResultScreen) and "WIN" in seen(app))
        await pilot.press("f2")
        assert current() == "zh"
        await until(pilot, lambda: any("\u4e00" <= letter <= "\u9fff" for letter in seen(app)))
        app.post_message(MonitorWanted(run, stay=True))
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen) and app.screen.view is not None)
        await pilot.press("f2")
        assert current() == "en"
        await until(pilot, lambda: "Learning rate" in seen(app))
        await pilot.press("escape", "escape", "escape")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen) and "New fine-tune" in seen(app))


async def test_choices_are_kept(app: TunewizApp, runs: Path) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("f2", "f3", "f4")
        await pilot.pause()
        assert app.theme == "tunewiz-light"
    assert read_settings() == Settings("zh", True, "ascii")
    again = TunewizApp(runs)
    assert (again.theme, again.characters, current()) == ("tunewiz-light", "ascii", "zh")


@pytest.mark.parametrize("content", ["", "7", "{", '{"language": "xx", "light": "yes", "characters": 3}'])
def test_damaged_settings_count_as_none(content: str) -> None:
    settings_file().parent.mkdir(parents=True)
    settings_file().write_text(content)
    assert read_settings() == Settings()


async def test_ascii_means_ascii(runs: Path, finished: Make) -> None:
    run = finished("模型-20260101-120000")
    app = TunewizApp(runs, Settings(characters="ascii"))
    async with app.run_test(size=(100, 40)) as pilot:
        for message in (None, ResultWanted(run), MonitorWanted(run, stay=True)):
            if message:
                app.post_message(message)
                await until(pilot, lambda: "ndcg" in seen(app) or "smoothed" in seen(app))
            picture = app.export_screenshot()
            assert seen(app).isascii()
            assert not {"─", "│", "●", "⣀", "模"} & set(picture)


async def test_a_picture_gives_a_wide_character_two_cells(runs: Path) -> None:
    app = TunewizApp(runs, Settings(language="zh"))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "用我的文件微调" in seen(app))
        pieces = re.findall(r'<text [^>]*x="([\d.]+)"[^>]*textLength="([\d.]+)"[^>]*>([^<]+)</text>', drawn(app))
    assert any("用我的文件微调" in html.unescape(text) for _, _, text in pieces)
    for place, length, text in pieces:
        width = cell_len(html.unescape(text))
        assert float(length) == pytest.approx(12.2 * width, abs=0.01)  # what Rich takes for a cell
        assert float(place) / 12.2 == pytest.approx(round(float(place) / 12.2), abs=0.01)


async def test_colours_can_be_done_without(runs: Path, finished: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    run = finished()
    app = TunewizApp(runs, Settings())
    async with app.run_test(size=(100, 40)) as pilot:
        app.post_message(MonitorWanted(run, stay=True))
        await until(pilot, lambda: "smoothed" in seen(app))
        strips = app.screen._compositor.render_strips()
        for line_filter in app.get_line_filters():
            strips = [strip.apply_filter(line_filter, app.screen.styles.background) for strip in strips]
        styles = [segment.style for strip in strips for segment in strip if segment.style]
        assert all(style.color is None or style.color.is_default for style in styles)
        assert all(style.bgcolor is None or style.bgcolor.is_default for style in styles)


async def test_without_colours_the_cursor_is_still_seen(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = TunewizApp(runs, Settings())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        strips = app.screen._compositor.render_strips()
        for line_filter in app.get_line_filters():
            strips = [strip.apply_filter(line_filter, app.screen.styles.background) for strip in strips]
        reversed_text = "".join(part.text for strip in strips for part in strip if part.style and part.style.reverse)
        assert "Fine-tune on my file" in reversed_text


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "ascii"),
        ({"LANG": "C"}, "ascii"),
        ({"LANG": "POSIX"}, "ascii"),
        ({"LANG": "en_US.ISO-8859-1"}, "ascii"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "C"}, "ascii"),
        ({"LANG": "zh_CN.utf8"}, "unicode"),
        ({"LANG": "C.UTF-8"}, "unicode"),
        ({"LANG": "en_US.UTF-8@euro"}, "unicode"),
        ({"LANG": "C", "LC_CTYPE": "UTF-8"}, "unicode"),
        ({"LANG": "zh_CN.GB18030"}, "ascii"),
        ({"LANG": "en_US.UTF-8", "TERM": "linux"}, "ascii"),
        ({"LANG": "en_US.UTF-8", "TERM": "screen"}, "unicode"),
        ({"LANG": "en_US.UTF-8", "TUNEWIZ_CHARACTERS": "ascii"}, "ascii"),
        ({"LANG": "C", "TUNEWIZ_CHARACTERS": "unicode"}, "unicode"),
    ],
)
def test_the_locale_chooses_the_characters(environment: dict[str, str], expected: str) -> None:
    assert characters(environment) == expected


async def test_help_lists_the_keys_of_the_screen(app: TunewizApp) -> None:
    async with app.run_test(size=(80, 30)) as pilot:
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen) and "Runs go on" in seen(app))
        assert "Light or dark" in seen(app)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))


async def test_the_palette_does_what_keys_do(app: TunewizApp) -> None:
    async with app.run_test(size=(80, 30)) as pilot:
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.focused, Input))
        await pilot.press(*"runs")
        await until(pilot, lambda: "Runs" in seen(app))
        await pilot.pause(0.5)
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))


@pytest.mark.parametrize("size", [(20, 5), (40, 12), (80, 24), (300, 100)])
async def test_home_in_any_size(app: TunewizApp, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert "New" in seen(app) or size[1] < 12
        await pilot.press("f1", "escape", "r", "escape")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
