"""Trackers: where progress is also sent. One that fails is told of and switched off, the run goes on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, ClassVar

from tunewiz.backends.runs.run import Run
from tunewiz.presets.sections.evaluation import Tracking
from tunewiz.problems import say, warning
from tunewiz.registry import Registry


class Tracker(ABC):
    """Sends progress to another program. A new one is a new file in this package, named like its ``name``."""

    name: ClassVar[str]
    #: What ``pip install`` brings it.
    package: ClassVar[str]

    @abstractmethod
    def callback(self, run: Run, tracking: Tracking) -> Any:
        """A ``transformers.TrainerCallback``; whatever it raises, now or later, is caught by :class:`Guarded`."""


class Guarded:
    """A callback around another one, made when training begins: what that raises becomes one warning."""

    def __init__(self, tracker: Tracker, run: Run, tracking: Tracking) -> None:
        self._tracker = tracker
        self._run = run
        self._tracking = tracking
        self._inner: Any = None
        self._failed = False

    def __getattr__(self, event: str) -> Callable[..., None]:
        if not event.startswith("on_"):
            raise AttributeError(event)

        def called(args: Any, state: Any, control: Any, **given: Any) -> None:
            if self._failed:
                return
            # The edge to other people's services: nothing that happens there may end a training.
            try:
                self._inner = self._inner or self._tracker.callback(self._run, self._tracking)
                getattr(self._inner, event)(args, state, control, **given)
            except Exception as fault:  # noqa: BLE001
                self._failed = True
                self._run.notice(self._problem(fault))

        return called

    def _problem(self, fault: Exception) -> Any:
        name = self._tracker.name
        message = say(
            "The tracker {name} failed and is off for the rest of the run: {fault}",
            name=name,
            fault=f"{type(fault).__name__}: {fault}",
        )
        fix = say("Is it installed (pip install {package}), logged in and reachable?", package=self._tracker.package)
        return warning("tracker-failed", message, fix=fix)


@cache
def catalogue() -> Mapping[str, type[Tracker]]:
    """Every tracker by name, in alphabetical order. Plug-ins: entry points of ``tunewiz.trackers``."""
    return Registry("tunewiz.backends.trackers", Tracker, "trackers").classes()


def callbacks(run: Run, tracking: Tracking) -> list[Guarded]:
    """One guarded callback for each tracker the preset names."""
    return [Guarded(catalogue()[name](), run, tracking) for name in tracking.trackers]
