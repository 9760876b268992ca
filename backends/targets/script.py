"""The model with a script that uses it: no Tunewiz needed where it runs."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from backends.runs.run import Run
from backends.targets.base import Target, copy_model
from data.files import write_whole
from data.language import N_
from data.problems import Message, say
from presets.preset import Preset

_SOURCES = Path(__file__).resolve().parent / "programs"


class Script(Target):
    """``model/`` and ``run.py``, one program a task."""

    name: ClassVar[str] = "script"
    tasks: ClassVar[frozenset[str]] = frozenset({"embedding", "reranker", "llm"})
    summary: ClassVar[str] = N_("the model with a program that uses it")

    def write(self, run: Run, preset: Preset, folder: Path) -> Message:
        """Copy the model, and the program of the task."""
        copy_model(run, folder / "model")
        write_whole(folder / "run.py", (_SOURCES / f"{preset.task}.py.txt").read_text(encoding="utf-8"))
        return say("Run it: {command}", command="python run.py --help")
