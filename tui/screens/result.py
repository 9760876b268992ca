"""How a run ended, and what can be done now."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Final

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.message import Message

from tunewiz.backends.runs.comparing import laid_beside, rival
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.process import alive
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.state import RunState
from tunewiz.errand import send
from tunewiz.language import N_, translate
from tunewiz.printable import printable
from tunewiz.problems import TunewizError, say
from tunewiz.tui.answers import looks_by_task
from tunewiz.tui.dialogs.copying import Copyable, Copying, of_run
from tunewiz.tui.dialogs.query import QueryScreen
from tunewiz.tui.outcome import ending
from tunewiz.tui.panels.evidence import Change, Evidence, evidence
from tunewiz.tui.panels.result_story import ResultStory
from tunewiz.tui.screens.kinds import FullScreen
from tunewiz.tui.screens.lesson import lesson_of
from tunewiz.tui.screens.messages import (
    CloneWanted,
    ComparisonWanted,
    ExportWanted,
    LessonWanted,
    LogWanted,
    MonitorWanted,
    ReportWanted,
    ResumeWanted,
    SpaceWanted,
    TrialWanted,
)
from tunewiz.tui.widgets.labels import KeyHints, TitleBar

#: Tasks whose runs tune an embedding model, which has vectors to draw.
SPACES: Final = ("embedding", "pipeline")


class ResultScreen(Copying, FullScreen):
    """Read once, in a thread; only actions that work for this run are offered."""

    CSS_PATH = Path(__file__).with_suffix(".tcss")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "choose(1)", N_("Choose"), key_display="⇥"),
        Binding("shift+tab", "choose(-1)", show=False),
        Binding("enter", "look", N_("Look at it"), key_display="⏎"),
        Binding("t", "try", N_("Try it"), tooltip=N_("Ask the untouched and the tuned model")),
        Binding("x", "export", N_("Export")),
        Binding("e", "space", N_("Vector space"), tooltip=N_("Queries and documents as points, before and after")),
        Binding("b", "bundle", N_("Bundle"), tooltip=N_("Everything of this run in one zip, to hand in")),
        Binding("o", "report", N_("Report")),
        Binding("l", "log", N_("Log")),
        Binding("m", "curves", N_("Curves")),
        Binding("r", "resume", N_("Resume")),
        Binding("v", "compare", N_("Compare"), tooltip=N_("With the other run of the same task before it")),
        Binding("c", "clone", N_("Clone"), tooltip=N_("A new draft with this run's settings")),
    ]
    HELP_TEXT = N_(
        "The verdict compares the model before and after training on the same queries. An interval that leaves out "
        "zero means that the difference is hardly chance. Tab chooses a measure or a query: Enter explains the "
        "measure, and shows the query with its documents before and after."
    )

    class Read(Message):
        """The run and its report were read."""

        def __init__(
            self, state: RunState, found: Evidence, living: bool, rival: Run | None, inner: tuple[Run, ...]
        ) -> None:
            super().__init__()
            self.state = state
            self.found = found
            self.living = living
            self.rival = rival
            self.inner = inner

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run
        self.state: RunState | None = None
        self.living = False
        self.rival: Run | None = None  # what it is compared with
        self.inner: tuple[Run, ...] = ()  # or the runs in it with each other

    def compose(self) -> ComposeResult:
        """One long story that scrolls."""
        yield TitleBar(N_("Result"), self.run.name)
        with VerticalScroll():
            yield ResultStory()
        yield KeyHints()

    def on_mount(self) -> None:
        """Read it."""
        self.query_one(VerticalScroll).focus()
        self._read()

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _read(self) -> None:
        state = read_state(self.run)
        inner = tuple(laid_beside(self.run))
        self.post_message(self.Read(state, evidence(self.run, state), alive(self.run), rival(self.run), inner))

    def on_result_screen_read(self, message: Read) -> None:
        """Tell it."""
        self.state, self.living = message.state, message.living
        self.rival, self.inner = message.rival, message.inner
        self.query_one(ResultStory).tell(self.run, message.state, message.found)
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[Any, ...]) -> bool | None:
        """What there is no file or no use for is not offered."""
        if action == "report":
            return (self.run.report / "report.md").is_file()
        if action == "bundle":
            return (self.run.report / "report.md").is_file()
        if action == "log":
            return self.run.log_file.is_file()
        if action == "try":
            return bool(self.state and self.state.task in looks_by_task() and self.run.model.is_dir())
        if action == "export":
            return bool(self.state and self.state.task and self.run.model.is_dir())
        if action == "space":
            return bool(self.state and self.state.task in SPACES and self.run.model.is_dir() and not self.living)
        if action in ("choose", "look"):
            story = self.query_one(ResultStory) if self.is_mounted else None
            return bool(story and story.targets and (action == "choose" or story.target is not None))
        if action == "compare":
            return self.rival is not None or len(self.inner) > 1
        if action == "curves":
            return bool(self.state and self.state.curves)
        if action == "resume":
            return bool(self.state and self.state.status in ("stopped", "failed", "lost") and not self.living)
        return True

    def copies(self) -> list[Copyable]:
        """The verdict, where things lie, what to type to use the model."""
        verdict = [Copyable(N_("Verdict"), ending(self.run, self.state))] if self.state is not None else []
        more = [Copyable(N_("Command"), f"tunewiz try {self.run.typed}")] if self.run.model.is_dir() else []
        return [*verdict, *of_run(self.run), *more]

    def action_choose(self, by: int) -> None:
        """The next measure or query, brought into sight."""
        place = self.query_one(ResultStory).choose(by)
        if place is not None:
            height = self.query_one(VerticalScroll).size.height
            self.query_one(VerticalScroll).scroll_to(y=max(0, place - height // 2), animate=False)
        self.refresh_bindings()

    def action_look(self) -> None:
        """Explain the measure, or open the query."""
        target = self.query_one(ResultStory).target
        if isinstance(target, Change):
            self.post_message(LessonWanted(lesson_of(target.metric)))
        elif target is not None:
            self.app.push_screen(QueryScreen(self.run, target))

    def action_try(self) -> None:
        """Ask its models."""
        self.post_message(TrialWanted(self.run))

    def action_export(self) -> None:
        """Write its model in another form."""
        if self.state is not None:
            self.post_message(ExportWanted(self.run, self.state.task))

    def action_space(self) -> None:
        """Draw its vectors."""
        self.post_message(SpaceWanted(self.run))

    def action_bundle(self) -> None:
        """Everything of it into one zip; that takes a while, and goes on when the screen is left."""
        self.notify(translate("Gathering everything of this run …"), markup=False)
        self._bundle(self.run.directory / "exports" / f"{self.run.name}.zip")

    @work(thread=True, exclusive=True, exit_on_error=False, group="bundle")
    def _bundle(self, place: Path) -> None:
        try:
            missing = send("tunewiz.tui.bundling:bundle", self.run, place)
        except TunewizError as fault:
            told = "  ".join(problem.line() for problem in fault.problems)
        else:
            told = "\n".join([str(place), *(say("Missing: {what}", what=one).text() for one in missing)])
        self.app.notify(printable(told, 1000), timeout=20, markup=False)

    def action_compare(self) -> None:
        """The runs in it beside each other, or it beside the run before it."""
        if len(self.inner) > 1:
            self.post_message(ComparisonWanted(self.inner))
        elif self.rival is not None:
            self.post_message(ComparisonWanted((self.rival, self.run)))

    def action_report(self) -> None:
        """The report as written."""
        self.post_message(ReportWanted(self.run))

    def action_log(self) -> None:
        """The whole log."""
        self.post_message(LogWanted(self.run))

    def action_curves(self) -> None:
        """The monitor as it was at the end."""
        self.post_message(MonitorWanted(self.run, stay=True))

    def action_resume(self) -> None:
        """Go on with it."""
        self.post_message(ResumeWanted(self.run))

    def action_clone(self) -> None:
        """A new draft with its settings."""
        self.post_message(CloneWanted(self.run))
