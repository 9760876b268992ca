"""Home: what goes on, what can be done, and what the machine is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tunewiz import paths
from tunewiz.backends.runs.run import Run
from tunewiz.language import N_, translate
from tunewiz.printable import printable
from tunewiz.tui.panels.glance import GlancePanel
from tunewiz.tui.screens.kinds import Watching
from tunewiz.tui.screens.messages import (
    BeginWanted,
    MonitorWanted,
    PresetsWanted,
    ResultWanted,
    RunsWanted,
    WizardWanted,
)
from tunewiz.tui.widgets.labels import KeyHints, TitleBar
from tunewiz.tui.words import span

if TYPE_CHECKING:
    from tunewiz.presets.drafts.kept import Kept
    from tunewiz.tui.outcome import Listed


def kept_drafts() -> tuple[Kept, ...]:
    """Drafts that were left unfinished, the newest first."""
    if not any(paths.drafts().glob("*")):
        return ()  # the usual start loads nothing of presets
    from tunewiz.tui.wizard.keeping import unfinished

    return tuple(unfinished())


# Home: what goes on, what can be done, and what the machine is.


INTERVAL = 2.0  # seconds between two looks at runs and machine
_TALL = 32  # rows from which on there is room for more than the last results
_MARKS = {"finished": "✓", "stopped": "·"}  # how a run ended; all others went wrong
_FILE = N_("Task, model and settings are proposed.")
_EXAMPLE = N_("Comes with Tunewiz: see how it goes.")


def _ago(then: float) -> str:
    """How long ago a Unix time was."""
    return span(max(0.0, time.time() - then))


class HomeScreen(Watching):
    """The list holds live runs, then what can be begun, then drafts; the machine stands beside it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "file", N_("My file")),
        Binding("e", "example", N_("Example")),
        Binding("n", "new", N_("Step by step")),
        Binding("p", "presets", N_("Presets")),
        Binding("r", "runs", N_("Runs")),
        Binding("w", "watch", N_("Watch"), tooltip=N_("Watch the run that goes on")),
        Binding("f2", "app.switch_language", N_("Language"), key_display="F2"),
    ]
    HELP_TEXT = N_(
        "Name your file and take what is proposed, try an example, or go on where you were. Runs go on when you leave "
        "or the line is lost; those that go on are at the top."
    )

    class Seen(Message):
        """Runs and machine were looked at."""

        def __init__(self, runs: tuple[Listed, ...]) -> None:
            super().__init__()
            self.runs = runs

        def can_replace(self, message: Message) -> bool:
            """Only the newest look counts."""
            return isinstance(message, HomeScreen.Seen)

    class DraftsFound(Message):
        """Drafts were found on disk."""

        def __init__(self, drafts: tuple[Kept, ...]) -> None:
            super().__init__()
            self.drafts = drafts

    def __init__(self, runs: Path) -> None:
        super().__init__()
        self.folder = runs
        self.listed: tuple[Listed, ...] = ()
        self.drafts: tuple[Kept, ...] = ()
        self._shown: list[tuple[str, str]] = []

    def compose(self) -> ComposeResult:
        """A greeting, the list, the machine."""
        yield TitleBar(
            N_("Home screen"), right=lambda: [(translate("From raw data to a fine-tuned, measured model"), "dim")]
        )
        yield OptionList(id="choices", compact=True)
        yield GlancePanel(self.folder, self._turns)
        yield KeyHints()

    def on_mount(self) -> None:
        """The list is there at once; what takes time comes after the first frame."""
        self._fill()
        self.query_one(OptionList).focus()
        self.call_after_refresh(self._look)

    def on_screen_resume(self) -> None:
        """Back from another screen: drafts may have come or gone."""
        self.call_after_refresh(self._find_drafts)

    @work(thread=True, exclusive=True, exit_on_error=False, group="runs")
    def _look(self) -> None:
        from tunewiz.tui.outcome import Listing

        listing = Listing(self.folder)
        while self._turns.next(INTERVAL):
            self.post_message(self.Seen(listing.look()))

    @work(thread=True, exclusive=True, exit_on_error=False, group="drafts")
    def _find_drafts(self) -> None:

        self.post_message(self.DraftsFound(kept_drafts()))

    def on_home_screen_seen(self, message: Seen) -> None:
        """Show the runs that go on."""
        first, self.listed = not self.listed, message.runs
        self._fill()
        if first and self.living:
            self.query_one(OptionList).highlighted = 0  # Enter goes back to the run that goes on

    def on_home_screen_drafts_found(self, message: DraftsFound) -> None:
        """Offer the drafts."""
        self.drafts = message.drafts
        self._fill()

    def relabel(self) -> None:
        """The language changed."""
        super().relabel()
        self._shown = []
        self._fill()

    @property
    def living(self) -> list[Listed]:
        """The runs that go on."""
        return [item for item in self.listed if item.alive]

    def _fill(self) -> None:
        """Bring the list up to date; an entry keeps its place under the cursor, unchanged text is left alone."""
        wanted = [*self._live_entries(), *self._fixed_entries(), *self._draft_entries(), *self._result_entries()]
        if wanted == self._shown:
            return
        choices = self.query_one(OptionList)
        if [key for key, _ in wanted] == [key for key, _ in self._shown]:
            for (key, text), (_, before) in zip(wanted, self._shown, strict=True):
                if text != before:
                    choices.replace_option_prompt(key, Text(text))
        else:
            highlighted = choices.highlighted_option.id if choices.highlighted_option else None
            choices.clear_options()
            choices.add_options([Option(Text(text), id=key) for key, text in wanted])
            keys = [key for key, _ in wanted]
            choices.highlighted = keys.index(highlighted) if highlighted in keys and self._shown else 0
        self._shown = wanted
        choices.border_title = translate("What now?")
        self.refresh_bindings()

    def _live_entries(self) -> list[tuple[str, str]]:
        return [(f"run:{item.run.name}", f"● {printable(item.run.name)}\n  {item.progress}") for item in self.living]

    def _fixed_entries(self) -> list[tuple[str, str]]:
        count = translate("Runs ({count})").format(count=len(self.listed)) if self.listed else translate("Runs")
        return [
            ("file", "▶ " + translate("Fine-tune on my file") + f"\n  {translate(_FILE)}"),
            ("example", "▷ " + translate("A ready-made example") + f"\n  {translate(_EXAMPLE)}"),
            ("new", "+ " + translate("New fine-tune, step by step")),
            ("presets", "▸ " + translate("Open a preset")),
            ("runs", "≡ " + count),
        ]

    def _result_entries(self) -> list[tuple[str, str]]:
        """The last runs that are over, with what they brought."""
        over = [item for item in reversed(self.listed) if not item.alive and item.state.over]
        room = 3 if self.size.height < _TALL else 12
        words, age = translate("Result of {run}"), translate("{time} ago")
        entries = []
        for item in over[:room]:
            told = words.format(run=printable(item.run.name, 40))
            since = age.format(time=_ago(item.state.updated))
            parts = [part for part in (item.progress, item.gain, since) if part]
            gained = "  ".join(parts)
            if cell_len(gained) + 2 > self.query_one(OptionList).content_size.width > 0:
                gained = "  ".join(parts[:-1])  # when it was is what least is missed
            mark = _MARKS.get(item.state.status, "✗")
            entries.append((f"result:{item.run.name}", f"{mark} {told}\n  {gained}"))
        return entries

    def _draft_entries(self) -> list[tuple[str, str]]:
        entries = []
        for number, kept in enumerate(self.drafts[:5]):
            title = printable(kept.title or translate("without a name"), 40)
            words = translate("Go on with the draft {title}, {time} ago")
            told = f"… {words.format(title=title, time=_ago(kept.changed))}"
            failed = "\n  " + translate("Its run ended before it trained.") if kept.run else ""
            entries.append((f"draft:{number}", told + failed))
        return entries

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Do what the entry says."""
        event.stop()
        kind, _, rest = (event.option.id or "").partition(":")
        if kind == "run":
            self._open(next((item.run for item in self.listed if item.run.name == rest), None))
        elif kind == "result":
            self.post_message(ResultWanted(Run(self.folder / rest)))
        elif kind == "draft":
            self.post_message(WizardWanted(self.drafts[int(rest)]))
        else:
            getattr(self, f"action_{kind}")()

    def _open(self, run: Run | None) -> None:
        if run is not None:
            self.post_message(MonitorWanted(run))

    def check_action(self, action: str, parameters: tuple[Any, ...]) -> bool | None:
        """There is nothing to watch while no run goes on."""
        return bool(self.living) if action == "watch" else True

    def action_file(self) -> None:
        """Begin with a file."""
        self.post_message(BeginWanted())

    def action_example(self) -> None:
        """Begin with a sample."""
        self.post_message(BeginWanted(example=True))

    def action_new(self) -> None:
        """Begin from nothing."""
        self.post_message(WizardWanted())

    def action_presets(self) -> None:
        """Choose a preset."""
        self.post_message(PresetsWanted())

    def action_runs(self) -> None:
        """See all runs."""
        self.post_message(RunsWanted())

    def action_watch(self) -> None:
        """Watch the newest run that goes on."""
        if self.living:
            self._open(self.living[-1].run)
