"""What screens ask of the app: they name what the user wants, the app knows the screens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.message import Message

from tunewiz.backends.runs.run import Run
from tunewiz.problems import Problem


class WizardWanted(Message):
    """A new fine-tune: from ``start``, a kept draft, a draft or a preset, or from nothing."""

    def __init__(self, start: Any = None) -> None:
        super().__init__()
        self.start = start


class BeginWanted(Message):
    """A fine-tune on a file of one's own, or on an ``example``: task, model and settings are proposed."""

    def __init__(self, example: bool = False) -> None:
        super().__init__()
        self.example = example


class PresetsWanted(Message):
    """The list of presets."""


class RunsWanted(Message):
    """The list of runs."""


class TopWanted(Message):
    """All runs and cards of the machine."""


class DoctorWanted(Message):
    """What is installed, reachable and free."""


class ModelsWanted(Message):
    """The models that are known; with ``take`` those for ``kind`` (a class of presets), to take one by its id."""

    def __init__(self, kind: Any = None, take: Callable[[str], None] | None = None) -> None:
        super().__init__()
        self.kind = kind
        self.take = take


class LessonWanted(Message):
    """A lesson by its topic."""

    def __init__(self, topic: str) -> None:
        super().__init__()
        self.topic = topic


class MonitorWanted(Message):
    """The live view of a run; ``stay`` keeps it open when the run is over, ``replace`` closes the screen that asks."""

    def __init__(self, run: Run, stay: bool = False, replace: bool = False) -> None:
        super().__init__()
        self.run = run
        self.stay = stay
        self.replace = replace


class ResultWanted(Message):
    """How a run ended. ``replace`` takes the place of the screen that asks."""

    def __init__(self, run: Run, replace: bool = False) -> None:
        super().__init__()
        self.run = run
        self.replace = replace


class LogWanted(Message):
    """The whole log of a run."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run


class ReportWanted(Message):
    """The report of a run."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run


class TrialWanted(Message):
    """The models of a run, to be asked."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run


class SpaceWanted(Message):
    """The vector space of a run, drawn."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run


class ExportWanted(Message):
    """The model of a run of ``task``, written in another form."""

    def __init__(self, run: Run, task: str) -> None:
        super().__init__()
        self.run = run
        self.task = task


class ComparisonWanted(Message):
    """Runs side by side."""

    def __init__(self, runs: tuple[Run, ...]) -> None:
        super().__init__()
        self.runs = runs


class CloneWanted(Message):
    """A new draft with the settings of a run."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run


class ResumeWanted(Message):
    """Go on with a run that stopped or broke."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run


class StartWanted(Message):
    """Run the preset in ``path`` (or of that name) as it is."""

    def __init__(self, preset: str | Path) -> None:
        super().__init__()
        self.preset = preset


class Refused(Message):
    """A run was not started, and why."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__()
        self.problems = problems
