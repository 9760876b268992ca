"""Trackers, one file each, found by file name: where progress is also sent."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module

from backends.runs.run import Run
from backends.trackers.base import Guarded, Tracker
from presets.sections.evaluation import Tracking


@cache
def catalogue() -> Mapping[str, type[Tracker]]:
    """Every tracker by name, in alphabetical order."""
    found: dict[str, type[Tracker]] = {}
    for name in sorted(item.name for item in pkgutil.iter_modules(__path__)):
        module = import_module(f"{__name__}.{name}")
        for kind in vars(module).values():
            if inspect.isclass(kind) and issubclass(kind, Tracker) and getattr(kind, "name", None) == name:
                found[name] = kind
    return found


def callbacks(run: Run, tracking: Tracking) -> list[Guarded]:
    """One guarded callback for each tracker the preset names."""
    return [Guarded(catalogue()[name](), run, tracking) for name in tracking.trackers]
