"""The trackers that ship: SwanLab, TensorBoard, Trackio, Weights & Biases."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from tunewiz.backends.runs.run import Run
from tunewiz.backends.trackers import Tracker
from tunewiz.presets.sections.evaluation import Tracking


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


# TensorBoard: curves in ``<run>/tensorboard``, to be looked at with ``tensorboard --logdir``.


class TensorBoard(Tracker):
    """Writes event files; needs no account and no network."""

    name: ClassVar[str] = "tensorboard"
    package: ClassVar[str] = "tensorboard"

    def callback(self, run: Run, tracking: Tracking) -> Any:
        """The library's callback, its files in the run's directory."""
        from torch.utils.tensorboard import SummaryWriter
        from transformers.integrations import TensorBoardCallback

        return TensorBoardCallback(SummaryWriter(log_dir=str(run.directory / self.name)))


# Trackio: a dashboard on this machine.


class Trackio(Tracker):
    """Writes to its own folder in the user's cache; ``trackio show`` draws it."""

    name: ClassVar[str] = "trackio"
    package: ClassVar[str] = "trackio"

    def callback(self, run: Run, tracking: Tracking) -> Any:
        """The library's callback; it takes the project's and the run's name from the training arguments."""
        from transformers.integrations import TrackioCallback

        return TrackioCallback()


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
