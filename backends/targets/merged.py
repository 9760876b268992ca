"""The whole tuned model as one folder, an adapter merged into it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from backends.runs.run import Run
from backends.targets.base import Target, copy_model
from data.language import N_
from data.problems import Message, say
from presets.preset import Preset


class Merged(Target):
    """What sentence-transformers, transformers, vLLM, TEI and others load by the folder's path."""

    name: ClassVar[str] = "merged"
    tasks: ClassVar[frozenset[str]] = frozenset({"embedding", "reranker", "llm"})
    summary: ClassVar[str] = N_("the whole model as one folder")

    def write(self, run: Run, preset: Preset, folder: Path) -> Message:
        """Copy it; it was compared with the tuned model when the run wrote it."""
        copy_model(run, folder)
        return say("Load it by the folder's path; README.md in it shows how.")
