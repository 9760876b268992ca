"""SwanLab."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from backends.runs.run import Run
from backends.trackers.base import Tracker
from presets.sections.evaluation import Tracking


class SwanLab(Tracker):
    """Needs ``SWANLAB_API_KEY`` or ``swanlab login``; ``SWANLAB_MODE=local`` keeps everything on this machine."""

    name: ClassVar[str] = "swanlab"
    package: ClassVar[str] = "swanlab"

    def callback(self, run: Run, tracking: Tracking) -> Any:
        """The library's callback, its files in the run's directory."""
        from transformers.integrations import SwanLabCallback

        os.environ.setdefault("SWANLAB_PROJECT", tracking.project)
        os.environ.setdefault("SWANLAB_LOG_DIR", str(run.directory / self.name))
        return SwanLabCallback()
