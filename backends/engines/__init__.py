"""Engines: what can train a preset. An engine checks a preset and takes it through the stages of a run.

One module (or room) an engine, found by its name. Nothing heavy may be imported when it is imported: ``problems`` and
``native`` run in the user's shell, the stages in the child. Engines do not import each other: what two of them need
lies in :mod:`tunewiz.backends.stages`, :mod:`tunewiz.backends.training` and :mod:`tunewiz.backends.language_models`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

from tunewiz.backends.ranks.plan import estimated, plan_of
from tunewiz.backends.runs.create import recorded_faults
from tunewiz.backends.runs.events import STAGES, StageName
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.manifest import Fault
from tunewiz.backends.runs.run import Run
from tunewiz.presets.preset import Preset
from tunewiz.problems import BadPreset, Problem, Where, error, say, warning
from tunewiz.registry import Registry

if TYPE_CHECKING:
    from tunewiz.backends.evaluate.lengths import Reading


P = TypeVar("P", bound=Preset)


class Backend(ABC, Generic[P]):
    """Trains presets of its tasks. Every stage reads and writes the run's directory and nothing else."""

    name: ClassVar[str]
    tasks: ClassVar[frozenset[str]]
    #: Modules that it needs beside those of the task.
    packages: ClassVar[tuple[str, ...]] = ()

    #: How its training can be spread over processes (``launch.strategy``); empty: it trains in one.
    strategies: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def problems(self, preset: P) -> list[Problem]:
        """What keeps ``preset`` from running here: packages, models, memory. Imports nothing heavy."""

    @abstractmethod
    def native(self, preset: P) -> str:
        """The configuration, in the library's own terms, that ``preset`` stands for (YAML text)."""

    def shown(self, preset: P) -> str:
        """:meth:`native` of one process; before it, where there are several, the command lines that start them."""
        plan = plan_of(preset, self.strategies)
        if not plan.spread:
            return self.native(preset)
        lines = "".join(f"# {line}\n" for line in plan.told().splitlines())
        return lines + self.native(estimated(preset, plan.size))

    def reading(self, preset: P, count: int) -> Reading | None:
        """``count`` training rows as the model reads them, and the length of all; ``None`` where that says nothing.

        Slow and heavy: for a child process. Raises ``BadData`` and ``BadPreset``.
        """
        return None

    @abstractmethod
    def prepare(self, run: Run, preset: P) -> None:
        """Read, clean, split, mine; write ``run.data``. Raises ``BadData``."""

    @abstractmethod
    def baseline(self, run: Run, preset: P) -> None:
        """Measure the untouched model; write ``run.report / "before.json"``."""

    @abstractmethod
    def train(self, run: Run, preset: P) -> None:
        """Train into ``run.checkpoints``, from the newest checkpoint there if there is one."""

    @abstractmethod
    def evaluate(self, run: Run, preset: P) -> None:
        """Measure the tuned model the same way; write ``run.report / "after.json"``."""

    @abstractmethod
    def export(self, run: Run, preset: P) -> None:
        """Write ``run.model``."""

    @abstractmethod
    def report(self, run: Run, preset: P) -> str:
        """Write ``run.report``; the verdict: WIN, MARGINAL, UNPROVEN, REGRESSION or NONE."""

    def left(self, run: Run, preset: P, stage: StageName) -> Path | None:
        """The folder that ``stage`` left and a later one needs, as :func:`record_folder` knows it; ``None``: none."""
        return None

    def tidy(self, run: Run, preset: P) -> None:
        """Take away what only training and measuring needed. Called once the end of export is on disk, any number of
        times: no stage deletes what its own repetition needs.
        """


#: The engine of every preset with a sweep, whose points have their own.
SWEEP: Final = "sweep"
#: Every engine: a module of this room each, and those of plug-ins (entry points of ``tunewiz.engines``).
_ENGINES: Final[Registry[Backend[Any]]] = Registry("tunewiz.backends.engines", Backend, "engines", by_module=True)


def catalogue() -> Mapping[str, type[Backend[Any]]]:
    """Every engine by name; all of them are imported."""
    return _ENGINES.classes()


def stages_to_do(run: Run, backend: Backend[P], preset: P) -> tuple[StageName, ...]:
    """The stages that are not done, in order, and those whose result a later one needs and that is damaged.

    The run is told why a stage is repeated. An exported model is made again only while what it is made of is there.
    """
    done = set(read_state(run).done)
    made: tuple[tuple[StageName, tuple[StageName, ...]], ...] = (("export", ("train",)), ("train", ()))
    for stage, sources in made:
        if stage not in done or (stage == "train" and "export" in done):
            continue
        wrong = _faults(run, backend, preset, stage)
        if wrong and all(_faults(run, backend, preset, source) == [] for source in sources):
            run.notice(_repeated(stage, wrong[0]))
            done -= {stage, "evaluate"} if stage == "train" else {stage}
    return tuple(stage for stage in STAGES if stage not in done)


def _faults(run: Run, backend: Backend[P], preset: P, stage: StageName) -> list[Fault] | None:
    folder = backend.left(run, preset, stage)
    return recorded_faults(run, folder) if folder else None


def _repeated(stage: str, fault: Fault) -> Problem:
    message = say(
        "What the stage {stage} left is damaged ({why}): it is gone through again.", stage=stage, why=fault.why
    )
    return warning("stage-repeated", message)


def engine_of(preset: Preset) -> Backend[Any]:
    """The backend that takes ``preset`` through a run: of a sweep the one that starts a run for each point."""
    return find_engine(SWEEP if preset.several else preset.backend)


def names() -> tuple[str, ...]:
    """The names of all backends, in alphabetical order; none is imported for it."""
    return _ENGINES.names()


def find_engine(name: str) -> Backend[Any]:
    """The backend called ``name``. Raises :class:`BadPreset` (``backend-unknown``)."""
    kind = _ENGINES.find(name)
    if kind is None:
        message = say("There is no backend {name}.", name=name)
        fix = say("Choose one of: {names}.", names=tuple(names()))
        raise BadPreset(error("backend-unknown", message, Where(key="backend"), fix))
    return kind()
