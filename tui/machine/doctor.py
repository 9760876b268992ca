"""``tunewiz doctor`` as a screen: what is installed, reachable and free, what can run here, how to mend the rest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.message import Message

from tunewiz.language import N_, translate
from tunewiz.printable import printable
from tunewiz.problems import Problem
from tunewiz.tui.dialogs.copying import Copyable, Copying
from tunewiz.tui.screens.kinds import FullScreen
from tunewiz.tui.widgets.drawing import Line, wrap_text
from tunewiz.tui.widgets.labels import KeyHints, TitleBar
from tunewiz.tui.widgets.sheet import Story

if TYPE_CHECKING:
    from tunewiz.backends.machine.diagnosis import Diagnosis

_STYLES = {"error": ("✗ ", "bad"), "warning": ("! ", "warn"), "note": ("· ", "dim")}


class DiagnosisStory(Story):
    """What is wrong first, each with its fix; then what there is."""

    found: Diagnosis | None = None
    problems: tuple[Problem, ...] = ()

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """Part after part."""
        if self.found is None:
            return [[(translate("Looking: a few seconds, most of them torch's ..."), "dim")]]
        from tunewiz.tui.commands.doctor import parts

        drawn: list[Line] = []
        for problem in self.problems:
            mark, style = _STYLES.get(problem.severity, _STYLES["note"])
            first, *rest = wrap_text(printable(problem.message.text(), 1000), max(10, width - 2), style)
            drawn += [[(mark, style), *first], *([("  ", style), *line] for line in rest)]
            fix = printable(problem.fix.text(), 1000) if problem.fix else ""
            drawn += [[("  ", "dim"), *line] for line in wrap_text(fix, max(10, width - 2), "dim")]
        drawn += [[]] if drawn else [[("✓ ", "good"), (translate("Nothing is wrong here."), "plain")], []]
        for title, rows in parts(self.found):
            if rows:
                drawn += [[(translate(title), "accent")], *_rows(rows, width), []]
        return drawn


def _rows(rows: Sequence[tuple[str, str]], width: int) -> list[Line]:
    size = min(24, max(cell_len(name) for name, _ in rows)) + 2
    drawn: list[Line] = []
    for name, told in rows:
        first, *rest = wrap_text(told, max(10, width - size - 2)) or [[("", "plain")]]
        drawn.append([("  ", "plain"), (name + " " * max(1, size - cell_len(name)), "strong"), *first])
        drawn += [[(" " * (size + 2), "plain"), *line] for line in rest]
    return drawn


class DoctorScreen(Copying, FullScreen):
    """Looked at in a thread; what mends a problem can be copied."""

    CSS = "DoctorScreen VerticalScroll { padding: 1 2; height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("r", "again", N_("Look again"))]
    HELP_TEXT = N_("What is installed, reachable and free here, which tasks can run, and how to mend the rest.")

    class Diagnosed(Message):
        """The machine was looked at."""

        def __init__(self, found: Diagnosis, problems: tuple[Problem, ...]) -> None:
            super().__init__()
            self.found = found
            self.problems = problems

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def compose(self) -> ComposeResult:
        """One story that scrolls."""
        yield TitleBar(N_("Doctor"))
        with VerticalScroll():
            yield DiagnosisStory()
        yield KeyHints()

    def on_mount(self) -> None:
        """Look."""
        self.query_one(VerticalScroll).focus()
        self._look()

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _look(self) -> None:
        from tunewiz.backends.machine.diagnosis import diagnose
        from tunewiz.presets import tasks
        from tunewiz.tui.commands.doctor import findings

        found = diagnose(tasks.catalogue(), self.folder)
        self.post_message(self.Diagnosed(found, tuple(findings(found))))

    def on_doctor_screen_diagnosed(self, message: Diagnosed) -> None:
        """Tell it."""
        story = self.query_one(DiagnosisStory)
        story.found, story.problems = message.found, message.problems
        story.retell()

    def action_again(self) -> None:
        """Look once more."""
        story = self.query_one(DiagnosisStory)
        story.found = None
        story.retell()
        self._look()

    def copies(self) -> list[Copyable]:
        """What is said to mend things."""
        fixes = [problem.fix.text() for problem in self.query_one(DiagnosisStory).problems if problem.fix]
        return [Copyable(N_("Fix"), fix) for fix in dict.fromkeys(fixes)] or [Copyable(N_("Command"), "tunewiz doctor")]
