"""What a target is: a form in which a finished run's model leaves Tunewiz.

Adding one means adding one file to this package, named like the target, with one subclass of :class:`Target`.
"""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from backends.runs.run import Run
from backends.tuned import has_model
from data.problems import BadPreset, Message, error, say
from presets.preset import Preset


class Target(ABC):
    """Writes one form. Files are written into an empty folder, which becomes the user's once all of it is there."""

    name: ClassVar[str]
    tasks: ClassVar[frozenset[str]]
    #: What it is, in a few words.
    summary: ClassVar[str]

    @abstractmethod
    def write(self, run: Run, preset: Preset, folder: Path) -> Message:
        """Write it into ``folder``; how it is used from there. Raises ``TunewizError``."""


def whole_model(run: Run) -> Path:
    """The folder of the whole tuned model. Raises :class:`BadPreset` (``no-whole-model``) where there is none."""
    if has_model(run.model):
        return run.model
    told = say("The run {name} has no whole model: it was stopped, or its adapter was not merged.", name=run.name)
    fix = say("Let it finish with export.merge: true, or export the adapter: --to adapter.")
    raise BadPreset(error("no-whole-model", told, fix=fix))


def copy_model(run: Run, folder: Path) -> None:
    """Copy the whole tuned model, without the adapter that may lie beside it."""
    shutil.copytree(whole_model(run), folder, ignore=shutil.ignore_patterns("adapter"), dirs_exist_ok=True)
