"""The backend on peft and the transformers Trainer: the ways of tuning a language model that LLaMA-Factory lacks.

Data, template, measures, export and report are those of :mod:`backends.llama_factory`, so that its numbers compare.
"""

from __future__ import annotations

from backends.llama_factory import LlamaFactory
from backends.peft import native
from backends.runs.events import Saved
from backends.runs.run import Run
from presets.tasks.llm import LlmPreset


class Peft(LlamaFactory):
    """Trains an adapter of any kind that peft knows and :mod:`presets.methods` describes."""

    name = "peft"

    def native(self, preset: LlmPreset) -> str:
        """The configuration of the adapter and the Trainer's arguments, as YAML."""
        return native.native(preset)

    def train(self, run: Run, preset: LlmPreset) -> None:
        """Train the adapter from the newest checkpoint, or a fresh one, into ``run.checkpoints``."""
        from backends.peft.training import train

        train(run, preset, self.places(run))
        run.emit(Saved(what="adapter", path=run.relative(run.checkpoints)))
