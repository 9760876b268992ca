"""The full screen: an app that knows the screens, opens them when they are asked for, and starts runs."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from textual import work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.message import Message
from textual.screen import Screen
from textual.worker import Worker

from tunewiz.backends.runs.find import all_runs, runs_dir
from tunewiz.backends.runs.launching import launch
from tunewiz.backends.runs.process import alive
from tunewiz.backends.runs.run import Run
from tunewiz.language import N_, current, translate
from tunewiz.printable import printable
from tunewiz.problems import Problem, TunewizError
from tunewiz.tui.screens import messages
from tunewiz.tui.screens.home import HomeScreen
from tunewiz.tui.screens.kinds import own_bindings, tell_failure
from tunewiz.tui.terminal.characters import in_ascii
from tunewiz.tui.terminal.looks import LooksApp, Settings
from tunewiz.tui.terminal.pacing import Collecting

if TYPE_CHECKING:
    from tunewiz.presets.preset import Preset
    from tunewiz.tui.screens.wizard import WizardScreen
    from tunewiz.tui.wizard.begin import BeginScreen


class RunBegan(Message):
    """A run was started, by ``wizard`` if there is one."""

    def __init__(self, begun: Begun, wizard: WizardScreen | None = None) -> None:
        super().__init__()
        self.begun = begun
        self.wizard = wizard


# The full screen: an app that knows the screens and nothing else.


class TunewizApp(LooksApp):
    """Screens ask by message, the app opens. Its result is what to print on the terminal after it has left."""

    # Home's style belongs here too: Textual loads none for the screen an app begins with.
    CSS_PATH = [Path(__file__).with_suffix(".tcss"), Path(__file__).parent / "screens" / "home.tcss"]
    TITLE = "Tunewiz"
    COMMANDS = App.COMMANDS | {lambda: _everything()}
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (70, "-normal"), (100, "-middling"), (140, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (20, "-medium"), (32, "-high"), (42, "-tall")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", N_("Quit")),
        Binding("ctrl+q", "quit", show=False, priority=True),
        Binding("f1,question_mark", "help", N_("Help"), key_display="F1"),
        Binding("ctrl+z", "suspend_process", N_("To the shell (fg comes back)"), show=False),
    ]

    def __init__(self, runs: Path, settings: Settings | None = None, first: Run | Message | None = None) -> None:
        """``runs`` is the folder of runs; ``first`` a run to watch at once, or what asks for the screen to begin with.

        Without ``settings`` those kept count.
        """
        super().__init__(settings)
        self.runs = runs
        self._first = first
        self._children: list[subprocess.Popen[bytes]] = []  # held, so that they are reaped

    def get_default_screen(self) -> Screen[Any]:
        """Home is below everything else."""
        return HomeScreen(self.runs)

    def on_mount(self) -> None:
        """A run to watch comes above home."""
        self._collecting = Collecting(self)
        if self._first is not None:
            self.post_message(messages.MonitorWanted(self._first) if isinstance(self._first, Run) else self._first)

    # ---- screens

    def open_wizard(self, start: Any = None) -> None:
        """The wizard: from a kept draft, a draft, a preset, the file of one, or nothing."""
        if isinstance(start, (str, Path)):
            self._open_preset(start)
            return
        from tunewiz.tui.screens.wizard import WizardScreen

        self.push_screen(WizardScreen(start))

    @work(thread=True, exclusive=True, exit_on_error=False, group="preset")
    def _open_preset(self, file: str | Path) -> None:
        from tunewiz.presets.yaml.library import load

        try:
            self.post_message(messages.WizardWanted(load(file)))
        except TunewizError as fault:
            self.post_message(messages.Refused(fault.problems))

    def on_wizard_wanted(self, message: messages.WizardWanted) -> None:
        """Open the wizard."""
        self.open_wizard(message.start)

    def on_begin_wanted(self, message: messages.BeginWanted) -> None:
        """Ask for the file alone."""
        from tunewiz.tui.wizard.begin import BeginScreen

        self.push_screen(BeginScreen(message.example))

    def on_begin_screen_proposed(self, message: BeginScreen.Proposed) -> None:
        """Review what was proposed; leaving that comes back to home."""
        from tunewiz.tui.screens.wizard import WizardScreen

        self.switch_screen(WizardScreen(message.state))

    def on_presets_wanted(self, message: messages.PresetsWanted) -> None:
        """Open the list of presets."""
        from tunewiz.tui.screens.presets import PresetsScreen

        self.push_screen(PresetsScreen())

    def on_runs_wanted(self, message: messages.RunsWanted) -> None:
        """Open the list of runs."""
        from tunewiz.tui.screens.runs import RunsScreen

        self.push_screen(RunsScreen(self.runs))

    def on_top_wanted(self, message: messages.TopWanted) -> None:
        """Show all runs and cards of the machine."""
        from tunewiz.tui.machine.top import TopScreen

        self.push_screen(TopScreen(self.runs))

    def on_doctor_wanted(self, message: messages.DoctorWanted) -> None:
        """Show what is installed, reachable and free."""
        from tunewiz.tui.machine.doctor import DoctorScreen

        self.push_screen(DoctorScreen(self.runs))

    def on_models_wanted(self, message: messages.ModelsWanted) -> None:
        """Show the models that are known."""
        from tunewiz.tui.machine.models import ModelChoice, ModelsScreen

        self.push_screen(ModelChoice(message.kind, message.take) if message.take else ModelsScreen())

    def on_lesson_wanted(self, message: messages.LessonWanted) -> None:
        """Open a lesson."""
        from tunewiz.tui.screens.lesson import LessonScreen

        self.push_screen(LessonScreen(None, (message.topic,)))

    def on_monitor_wanted(self, message: messages.MonitorWanted) -> None:
        """Watch a run."""
        from tunewiz.tui.screens.monitor import MonitorScreen

        self._open(MonitorScreen(message.run, message.stay), message.replace)

    def on_result_wanted(self, message: messages.ResultWanted) -> None:
        """Show how a run ended."""
        from tunewiz.tui.screens.result import ResultScreen

        self._open(ResultScreen(message.run), message.replace)

    def on_log_wanted(self, message: messages.LogWanted) -> None:
        """Show a run's log."""
        from tunewiz.tui.screens.log import LogScreen

        self.push_screen(LogScreen(message.run))

    def on_report_wanted(self, message: messages.ReportWanted) -> None:
        """Show a run's report."""
        from tunewiz.tui.screens.report import ReportScreen

        self.push_screen(ReportScreen(message.run))

    def on_trial_wanted(self, message: messages.TrialWanted) -> None:
        """Ask the models of a run."""
        from tunewiz.tui.screens.trial import TrialScreen

        self.push_screen(TrialScreen(message.run))

    def on_space_wanted(self, message: messages.SpaceWanted) -> None:
        """Draw a run's vector space."""
        from tunewiz.tui.dialogs.space import SpaceScreen

        self.push_screen(SpaceScreen(message.run))

    def on_export_wanted(self, message: messages.ExportWanted) -> None:
        """Write a model in another form."""
        from tunewiz.tui.screens.export import ExportScreen

        self.push_screen(ExportScreen(message.run, message.task))

    def on_comparison_wanted(self, message: messages.ComparisonWanted) -> None:
        """Show runs side by side."""
        from tunewiz.tui.screens.comparison import ComparisonScreen

        self.push_screen(ComparisonScreen(message.runs))

    def _open(self, screen: Screen[Any], replaced: bool) -> None:
        if replaced:
            self.switch_screen(screen)
        else:
            self.push_screen(screen)

    # ---- runs

    def on_start_wanted(self, message: messages.StartWanted) -> None:
        """Check a preset and run it, in a thread."""
        self.notify(translate("Checking it first ..."), markup=False)
        self._begin(lambda: start_run(message.preset, self.runs))

    def on_wizard_screen_start(self, message: WizardScreen.Start) -> None:
        """Run what the wizard made, in a thread."""
        self._begin(lambda: begin_run(message.preset, self.runs), message.wizard)

    def on_resume_wanted(self, message: messages.ResumeWanted) -> None:
        """Go on with a run, in a thread."""
        self._begin(lambda: resume_run(message.run, self._told))

    def _told(self, problem: Problem) -> None:
        self.notify(printable(problem.line(), 500), markup=False)

    @work(thread=True, exclusive=True, exit_on_error=False, group="start")
    def _begin(self, starting: Callable[[], Begun], wizard: WizardScreen | None = None) -> None:
        try:
            begun = starting()
        except TunewizError as fault:
            self.post_message(messages.Refused(fault.problems))
            return
        self.post_message(RunBegan(begun, wizard))

    def on_run_began(self, message: RunBegan) -> None:
        """Watch it; the wizard has done its work."""
        self._children.append(message.begun.child)
        if message.wizard is not None:
            message.wizard.started(message.begun.run)
        self.on_monitor_wanted(messages.MonitorWanted(message.begun.run, replace=self.screen is message.wizard))

    def on_refused(self, message: messages.Refused) -> None:
        """Say why a run was not started."""
        from tunewiz.tui.screens.problems import ProblemsScreen

        self.push_screen(ProblemsScreen(message.problems))

    def on_clone_wanted(self, message: messages.CloneWanted) -> None:
        """A new draft from a run's preset."""
        self.open_wizard(message.run.preset_file)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A thread that failed is told of; the app goes on."""
        tell_failure(self, event)

    # ---- leaving

    async def action_quit(self) -> None:
        """Leave; runs go on, and the terminal is told how to come back to them."""
        self.exit(self.parting())

    def parting(self) -> str:
        """What to print after leaving: the runs that go on."""
        living = [run for run in all_runs(self.runs) if alive(run)]
        if not living:
            return ""
        lines = [translate("These runs go on without you:")]
        lines += [f"  {printable(run.name)}    tunewiz watch {run.typed}" for run in living]
        return "\n".join([*lines, translate("Come back with `tunewiz`: they are at the top of the list.")])

    def action_help(self) -> None:
        """What the screen is for, and its keys."""
        from tunewiz.tui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Everything that a key does on this screen, for the command palette."""
        for node, binding, _enabled, tooltip in own_bindings(screen):
            hint = tooltip or translate("Key: {key}").format(key=self.get_key_display(binding))
            yield SystemCommand(binding.description, hint, _runner(self, binding.action, node))
        bell = translate(N_("Bell when a run is done: on or off"))
        hint = translate(N_("And a notification, where the terminal shows one"))
        yield SystemCommand(bell, hint, self.action_switch_notice)

    def action_command_palette(self) -> None:
        """Type what you want."""
        from textual.command import CommandPalette

        from tunewiz.tui.screens.palette import Palette

        if not any(isinstance(screen, CommandPalette) for screen in self.screen_stack):
            words = translate("Type what you want: an action, a setting, a preset, a run, a lesson")
            self.push_screen(Palette(placeholder=words, id="--command-palette"))


def _everything() -> type[Provider]:
    """What the palette finds besides actions; imported when one is opened."""
    from tunewiz.tui.screens.palette import Everything

    return Everything


def _runner(app: App[Any], action: str, node: Any) -> Callable[[], Any]:
    return lambda: app.call_later(app.run_action, action, node)


# ``tunewiz`` alone: the full screen.


def run_screen(folder: Path | None, opening: Message | None = None) -> int:
    """Run the full screen until the user leaves, then say how to come back to runs that go on.

    ``opening`` asks for the screen to begin with, above home.
    """
    app = TunewizApp(runs_dir(folder), first=opening)
    parting = app.run()
    if parting:
        print(in_ascii(parting, current() != "en") if app.characters == "ascii" else parting)
    return app.return_code or 0


# Starting runs from the screen; to be called in a thread, since checking a preset reads data and imports libraries.


class Begun(NamedTuple):
    """A run that goes on, and its process."""

    run: Run
    child: subprocess.Popen[bytes]


def start_run(preset: str | Path, runs: Path) -> Begun:
    """Check the preset (a file, or a name) and run it under ``runs``. Raises ``TunewizError`` with all problems."""
    from tunewiz.backends.readiness import require_runnable
    from tunewiz.presets.yaml.library import open_preset

    opened = open_preset(str(preset))
    require_runnable(opened, runs)
    return begin_run(opened.preset, runs)


def begin_run(preset: Preset, runs: Path) -> Begun:
    """Run a preset that was checked. Raises ``TunewizError`` when no run can be written under ``runs``."""
    from tunewiz.backends.runs.create import create

    run = create(preset, runs, command=["tunewiz"])
    return Begun(run, launch(run))


def resume_run(run: Run, report: Callable[[Problem], None]) -> Begun:
    """Go on with a run that stopped, failed or was lost; ``report`` is told what is waited for.

    Raises ``BadPreset`` when it is going on already.
    """
    return Begun(run, launch(run, report))
