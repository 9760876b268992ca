"""Starting runs from the screen; to be called in a thread, since checking a preset reads data and imports libraries."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from backends.runs.launch import launch
from backends.runs.run import Run

if TYPE_CHECKING:
    from presets.preset import Preset


class Begun(NamedTuple):
    """A run that goes on, and its process."""

    run: Run
    child: subprocess.Popen[bytes]


def start(preset: str | Path, runs: Path) -> Begun:
    """Check the preset (a file, or a name) and run it under ``runs``. Raises ``TunewizError`` with all problems."""
    from presets.library import open_preset
    from tui.checking import checked

    opened = open_preset(str(preset))
    checked(opened)
    return begin(opened.preset, runs)


def begin(preset: Preset, runs: Path) -> Begun:
    """Run a preset that was checked. Raises ``TunewizError`` when no run can be written under ``runs``."""
    from backends.runs.create import create

    run = create(preset, runs, command=["tunewiz"])
    return Begun(run, launch(run))


def resume(run: Run) -> Begun:
    """Go on with a run that stopped, failed or was lost. Raises ``BadPreset`` when it is going on already."""
    return Begun(run, launch(run))
