"""The LoRA adapter alone, in peft's form."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import ClassVar

from backends.runs.run import Run
from backends.targets.base import Target
from data.language import N_
from data.problems import BadPreset, Message, error, say
from presets.preset import Preset


class Adapter(Target):
    """A few megabytes that go onto the untouched model; peft and vLLM read them."""

    name: ClassVar[str] = "adapter"
    tasks: ClassVar[frozenset[str]] = frozenset({"embedding", "reranker", "llm"})
    summary: ClassVar[str] = N_("the adapter alone, for peft or vLLM")

    def write(self, run: Run, preset: Preset, folder: Path) -> Message:
        """Copy it. Raises :class:`BadPreset` (``no-adapter``) for runs that trained all weights."""
        found = run.model / "adapter"
        if not (found / "adapter_config.json").is_file():
            told = say("The run {name} has no adapter.", name=run.name)
            fix = say("It trained all weights, or is not over: export --to merged.")
            raise BadPreset(error("no-adapter", told, fix=fix))
        shutil.copytree(found, folder, dirs_exist_ok=True)
        return say("It goes onto {base}; README.md in it shows how.", base=preset.model.id)
