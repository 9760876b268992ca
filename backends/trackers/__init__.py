"""Trackers, one file each, found by file name: where progress is also sent."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from backends.runs.run import Run
from backends.trackers.base import Guarded, Tracker
from data.by_file_name import classes
from presets.sections.evaluation import Tracking


@cache
def catalogue() -> Mapping[str, type[Tracker]]:
    """Every tracker by name, in alphabetical order."""
    return classes(__name__, Tracker)


def callbacks(run: Run, tracking: Tracking) -> list[Guarded]:
    """One guarded callback for each tracker the preset names."""
    return [Guarded(catalogue()[name](), run, tracking) for name in tracking.trackers]
