"""The vector space of a run before and after: drawn in a child the first time, then there at once."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message

from tunewiz.backends.runs.run import Run
from tunewiz.backends.space.asking import ask
from tunewiz.backends.space.record import NAME, Space, read
from tunewiz.errand import GivenUp
from tunewiz.language import N_, translate
from tunewiz.printable import printable
from tunewiz.problems import Message as Told
from tunewiz.problems import TunewizError, say
from tunewiz.tui.dialogs.copying import Copyable, Copying
from tunewiz.tui.panels.space import SpacePanel, layout_of
from tunewiz.tui.screens.kinds import FullScreen
from tunewiz.tui.widgets.labels import KeyHints, TitleBar, Words


class SpaceScreen(Copying, FullScreen):
    """Leaving it ends the child that draws."""

    CSS_PATH = Path(__file__).with_suffix(".tcss")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j,n", "choose(1)", N_("Another query"), key_display="↑↓"),
        Binding("up,k", "choose(-1)", show=False),
        Binding("tab,shift+tab", "turn", N_("Before or after"), key_display="⇥", priority=True),
        Binding("r", "again", N_("Lay out anew")),
    ]
    HELP_TEXT = N_(
        "Texts with alike vectors stand near each other: queries (circles), documents that answer them (diamonds) and "
        "other documents (dots), before and after training. A line joins a query and its answer; ↑↓ take another one. "
        "t-SNE keeps neighbours together and little else: the numbers below are those of the space itself."
    )

    class Heard(Message):
        """How far it is."""

        def __init__(self, words: Told) -> None:
            super().__init__()
            self.words = words

    class Drawn(Message):
        """It is there, or why not."""

        def __init__(self, space: Space | None, why: str = "") -> None:
            super().__init__()
            self.space = space
            self.why = why

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run
        self.space: Space | None = None
        self._left = self._going = False

    def compose(self) -> ComposeResult:
        """How things stand, and the picture."""
        yield TitleBar(N_("Vector space"), self.run.name)
        yield Words(N_("Looking ..."), id="standing")
        yield SpacePanel(id="space")
        yield KeyHints()

    def on_mount(self) -> None:
        """Show what is there, else have it drawn."""
        self.query_one(SpacePanel).focus()
        self._draw(anew=False)

    def on_unmount(self) -> None:
        """End the child."""
        self._left = True

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _draw(self, anew: bool) -> None:
        file = self.run.report / NAME
        there = None if anew else read(file)
        if there is None:
            try:
                ask(self.run, self._tell, lambda: self._left, anew=anew)
            except GivenUp:
                return
            except TunewizError as fault:
                self.post_message(self.Drawn(None, "  ".join(problem.line() for problem in fault.problems)))
                return
            there = read(file)
        self.post_message(self.Drawn(there))

    def _tell(self, words: Told) -> None:
        if not self._left:
            self.post_message(self.Heard(words))

    def on_space_screen_heard(self, message: Heard) -> None:
        """Say how far it is; leaving stops it."""
        self._going = True
        self.query_one("#standing", Words).tell(say("{what}  Escape stops it.", what=message.words))

    def on_space_screen_drawn(self, message: Drawn) -> None:
        """Show it."""
        self._going = False
        standing = self.query_one("#standing", Words)
        if message.space is None:
            why = printable(message.why, 1000) or translate("It cannot be read.")
            standing.tell(lambda: why)
            return
        panel = self.query_one(SpacePanel)
        self.space = panel.space = message.space
        panel.chosen = 0
        standing.tell(message.space.drawn())
        panel.redraw()
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What there is nothing for is not offered."""
        if action == "choose":
            return bool(self.space and self.space.pairs)
        if action == "turn":
            if self.space is None or not self.is_mounted:
                return False
            return layout_of(*self.query_one(SpacePanel).content_size) == "single"
        return self.space is not None and not self._going if action == "again" else True

    def action_choose(self, by: int) -> None:
        """Another of the queries that have a line."""
        if self.space is not None:
            panel = self.query_one(SpacePanel)
            panel.chosen = (panel.chosen + by) % len(self.space.pairs)
            panel.redraw()

    def action_turn(self) -> None:
        """The other side, where only one fits."""
        panel = self.query_one(SpacePanel)
        panel.side = "after" if panel.side == "before" else "before"
        panel.redraw()

    def action_again(self) -> None:
        """Lay it out anew."""
        self._draw(anew=True)

    def copies(self) -> list[Copyable]:
        """What draws the same in the shell, and where the picture lies."""
        return [
            Copyable(N_("Command"), f"tunewiz space {self.run.typed}"),
            Copyable(N_("Picture"), str(self.run.report / "space.png")),
        ]
