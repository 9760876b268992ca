"""Where Textual's inside is leaned on."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import TabbedContent, TabPane, Tabs
from textual.widgets._tabs import Underline

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
