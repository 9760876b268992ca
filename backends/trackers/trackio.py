"""Trackio: a dashboard on this machine."""

from __future__ import annotations

from typing import Any, ClassVar

from backends.runs.run import Run
from backends.trackers.base import Tracker
from presets.sections.evaluation import Tracking


class Trackio(Tracker):
    """Writes to its own folder in the user's cache; ``trackio show`` draws it."""

    name: ClassVar[str] = "trackio"
    package: ClassVar[str] = "trackio"

    def callback(self, run: Run, tracking: Tracking) -> Any:
        """The library's callback; it takes the project's and the run's name from the training arguments."""
        from transformers.integrations import TrackioCallback

        return TrackioCallback()
