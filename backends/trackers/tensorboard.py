"""TensorBoard: curves in ``<run>/tensorboard``, to be looked at with ``tensorboard --logdir``."""

from __future__ import annotations

from typing import Any, ClassVar

from backends.runs.run import Run
from backends.trackers.base import Tracker
from presets.sections.evaluation import Tracking


class TensorBoard(Tracker):
    """Writes event files; needs no account and no network."""

    name: ClassVar[str] = "tensorboard"
    package: ClassVar[str] = "tensorboard"

    def callback(self, run: Run, tracking: Tracking) -> Any:
        """The library's callback, its files in the run's directory."""
        from torch.utils.tensorboard import SummaryWriter
        from transformers.integrations import TensorBoardCallback

        return TensorBoardCallback(SummaryWriter(log_dir=str(run.directory / self.name)))
