"""All runs and cards of the machine on one screen, whoever's they are; other people's can be seen, not touched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.message import Message

from tunewiz.language import N_, translate
from tunewiz.tui.dialogs.copying import Copyable, Copying
from tunewiz.tui.machine.machine_lines import Going, Look, MachineLooks, lines
from tunewiz.tui.screens.kinds import FullScreen, Watching
from tunewiz.tui.screens.messages import MonitorWanted
from tunewiz.tui.widgets.drawing import Line
from tunewiz.tui.widgets.labels import KeyHints, TitleBar
from tunewiz.tui.widgets.sheet import Story

INTERVAL = 2.0  # seconds between two looks


class MachineStory(Story):
    """Cards, runs and processes, one below the other."""

    look: Look | None = None
    chosen = 0

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """See :mod:`tunewiz.tui.machine.machine_lines`."""
        if self.look is None:
            return [[(translate("Looking at the machine ..."), "dim")]]
        return lines(self.look, width, self.chosen, getattr(self.app, "characters", "") == "ascii")

    @property
    def current(self) -> Going | None:
        """The run under the cursor."""
        runs = self.look.runs if self.look else ()
        return runs[self.chosen] if self.chosen < len(runs) else None


class TopScreen(Copying, Watching, FullScreen):
    """Looked at in a thread; arrows choose a run."""

    CSS = "TopScreen VerticalScroll { padding: 0 1; height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", N_("Open"), key_display="⏎"),
        Binding("down,j", "choose(1)", N_("Choose"), key_display="↑↓"),
        Binding("up,k", "choose(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
    ]
    HELP_TEXT = N_(
        "All GPUs of the machine, the runs that go on (yours can be opened, those of others are only seen), and the "
        "processes on each GPU with who started them."
    )

    class Seen(Message):
        """The machine was looked at."""

        def __init__(self, look: Look) -> None:
            super().__init__()
            self.look = look

        def can_replace(self, message: Message) -> bool:
            """Only the newest look counts."""
            return isinstance(message, TopScreen.Seen)

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def compose(self) -> ComposeResult:
        """One story that scrolls."""
        yield TitleBar(N_("All runs and GPUs"))
        with VerticalScroll(can_focus=False):
            yield MachineStory()
        yield KeyHints()

    def on_mount(self) -> None:
        """Begin to look."""
        self._look()

    @work(thread=True, exclusive=True, exit_on_error=False, group="machine")
    def _look(self) -> None:
        looks = MachineLooks(self.folder)
        try:
            while self._turns.next(INTERVAL):
                self.post_message(self.Seen(looks.look()))
        finally:
            looks.close()

    def on_top_screen_seen(self, message: Seen) -> None:
        """Show it; the length may have changed."""
        story = self.query_one(MachineStory)
        before, story.look = story.look, message.look
        story.chosen = min(story.chosen, max(0, len(message.look.runs) - 1))
        if before is None or _rows(before) != _rows(message.look):
            story.retell()
        else:
            story.redraw()
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[Any, ...]) -> bool | None:
        """Only one's own runs can be opened."""
        if not self.is_mounted or action not in ("open", "copy", "choose"):
            return True
        story = self.query_one(MachineStory)
        if action == "choose":
            return bool(story.look and len(story.look.runs) > 1)
        return story.current is not None and (action == "copy" or story.current.state is not None)

    def action_choose(self, by: int) -> None:
        """Another run."""
        story = self.query_one(MachineStory)
        count = len(story.look.runs) if story.look else 0
        story.chosen = max(0, min(count - 1, story.chosen + by))
        story.redraw()
        self.refresh_bindings()

    def action_page(self, by: int) -> None:
        """A page up or down."""
        self.query_one(VerticalScroll).scroll_relative(y=by * max(1, self.size.height - 4), animate=False)

    def action_open(self) -> None:
        """Watch the run."""
        current = self.query_one(MachineStory).current
        if current is not None and current.state is not None:
            self.post_message(MonitorWanted(current.run))

    def copies(self) -> list[Copyable]:
        """What leads to the run in a shell."""
        current = self.query_one(MachineStory).current
        if current is None:
            return []
        return [Copyable(N_("Run"), str(current.run.directory)),
                Copyable(N_("Command"), f"tunewiz watch {current.run.directory}")]  # fmt: skip


def _rows(look: Look) -> tuple[int, ...]:
    return len(look.samples[-1].gpus), len(look.runs), len(look.cards), len(look.largest)
