"""Where Textual's inside is leaned on."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.containers import Vertical
from textual.css.stylesheet import Stylesheet
from textual.geometry import Region, Size, Spacing
from textual.map_geometry import MapGeometry
from textual.widget import Widget
from textual.widgets import TabbedContent, TabPane, Tabs
from textual.widgets._tabs import Underline

from tests.screens.waiting import seen
from tunewiz.tui.app import TunewizApp
from tunewiz.tui.screens.wizard import WizardScreen
from tunewiz.tui.terminal import patches


class Tabbed(App[None]):
    """Two tabs."""

    def compose(self) -> ComposeResult:
        with TabbedContent():
            yield TabPane("one", id="one")
            yield TabPane("two", id="two")


async def test_tabs_that_lose_their_bar_are_still_told_of_labels() -> None:
    """As when they are taken away, children first, while a new label is on its way."""
    patches.let_tabs_go()
    app = Tabbed()
    async with app.run_test() as pilot:
        tabs = app.query_one(TabbedContent)
        bar = app.query_one(Underline)
        tabs.active = "two"
        await pilot.pause()
        assert bar.highlight_start > 0  # moved as ever
        await bar.remove()
        tabs.get_tab("two").label = "other"
        await pilot.pause()
        assert str(app.query_one(Tabs).active_tab.label) == "other"  # type: ignore[union-attr]
    assert app.return_code == 0 or app.return_code is None


async def test_styles_that_were_found_once_are_those_that_all_rules_give(app: TunewizApp) -> None:
    """Of every widget of a step, with the focus here and there, and of the parts that it draws."""
    async with app.run_test(size=(120, 40)) as pilot:
        app.push_screen(WizardScreen())
        await pilot.press("f6", "alt+4", "tab", "tab", "shift+tab", "f3")
        await pilot.pause()
        find = Stylesheet.apply.__wrapped__  # type: ignore[attr-defined]
        nodes = [one for one in app.screen.walk_children(with_self=True) if isinstance(one, Widget)]
        assert len(nodes) > 50

        def styles(node: Widget) -> list[object]:
            return [node.styles.base.css, *((name, one.css) for name, one in sorted(node._component_styles.items()))]

        before = [styles(node) for node in nodes]
        for node in nodes:
            find(app.stylesheet, node)
        assert [styles(node) for node in nodes] == before


def _place(region: Region, order: int = 0, virtual: Size | None = None) -> MapGeometry:
    clip, layers = Region(0, 0, 80, 20), ((0, 0, 0), (0, 0, order))
    return MapGeometry(region, layers, clip, virtual or region.size, Size(80, 20), region, Spacing())


def test_only_what_lies_elsewhere_is_painted_anew() -> None:
    row, below = Region(2, 3, 40, 1), Region(2, 4, 40, 1)
    assert not list(patches._anew(Widget(), _place(row), _place(row, order=9, virtual=Size(40, 99))))
    assert list(patches._anew(Widget(), _place(row), _place(below))) == [row, below]
    assert list(patches._anew(Widget(), None, _place(row))) == [row] == list(patches._anew(Widget(), _place(row), None))
    taller = Region(2, 3, 40, 6)
    assert list(patches._anew(Vertical(), _place(row), _place(taller))) == [Region(2, 4, 40, 5)]  # the ground alone
    assert list(patches._anew(Vertical(), _place(taller), _place(row))) == [Region(2, 4, 40, 5)]
    assert list(patches._anew(Widget(), _place(row), _place(taller))) == [row, taller]
    framed = Vertical()
    framed.styles.border = ("round", "red")
    assert list(patches._anew(framed, _place(row), _place(taller))) == [row, taller]


@pytest.mark.parametrize("text", ["草稿无法保存：No space left on device", "Saved.", "a b " * 30])
async def test_notices_are_seen_to_their_end(app: TunewizApp, text: str) -> None:
    """Some were reckoned a line shorter than they are, and the last one lay under the keys."""
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.pause()
        app.notify(text)
        await pilot.pause(0.5)
        assert text.split()[-1] in seen(app).rpartition("\n")[0]
