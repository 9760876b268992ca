"""Weights & Biases."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from backends.runs.run import Run
from backends.trackers.base import Tracker
from presets.sections.evaluation import Tracking


class Wandb(Tracker):
    """Needs ``WANDB_API_KEY`` or ``wandb login``; ``WANDB_MODE=offline`` keeps everything on this machine."""

    name: ClassVar[str] = "wandb"
    package: ClassVar[str] = "wandb"

    def callback(self, run: Run, tracking: Tracking) -> Any:
        """The library's callback, its files in the run's directory."""
        from transformers.integrations import WandbCallback

        os.environ.setdefault("WANDB_PROJECT", tracking.project)
        os.environ.setdefault("WANDB_DIR", str(run.directory))
        os.environ.setdefault("WANDB_SILENT", "true")
        return WandbCallback()
