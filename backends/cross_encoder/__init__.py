"""The backend on sentence-transformers' CrossEncoder: rerankers, by any of its losses."""

from __future__ import annotations

from typing import ClassVar

from backends.cross_encoder import native, readiness
from backends.reranking_stages import RerankingBackend
from backends.runs.events import Saved
from backends.runs.run import Run
from data.language import N_
from data.prepared import load
from data.problems import Problem
from presets.tasks.reranker import RerankerPreset


class CrossEncoder(RerankingBackend):
    """Trains with ``CrossEncoderTrainer``; everything else is :class:`RerankingBackend`'s."""

    name = "cross_encoder"
    description: ClassVar[str] = N_("sentence-transformers: rerankers with every loss over pairs, lists and groups.")

    def problems(self, preset: RerankerPreset) -> list[Problem]:
        """Packages, models, negatives strategy and memory."""
        return readiness.problems(preset)

    def native(self, preset: RerankerPreset) -> str:
        """The library's arguments as YAML."""
        return native.native(preset)

    def train(self, run: Run, preset: RerankerPreset) -> None:
        """Train from the newest checkpoint, or the untouched model, into ``run.checkpoints / "tuned"``."""
        from backends.cross_encoder.training import RerankerTraining

        tuned = RerankerTraining(run, preset, load(run.data), self.base(run, preset)).start()
        run.emit(Saved(what="adapter" if preset.method.type == "lora" else "model", path=run.relative(tuned)))
