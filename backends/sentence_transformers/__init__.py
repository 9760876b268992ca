"""The backend on sentence-transformers: contrastive tuning of bi-encoders."""

from __future__ import annotations

from backends.retrieval import RetrievalBackend
from backends.runs.events import Saved
from backends.runs.run import Run
from backends.sentence_transformers import native, readiness
from data.prepared import load
from data.problems import Problem
from presets.tasks.embedding import EmbeddingPreset


class SentenceTransformers(RetrievalBackend):
    """Trains with ``SentenceTransformerTrainer``; everything else is :class:`RetrievalBackend`'s."""

    name = "sentence_transformers"

    def problems(self, preset: EmbeddingPreset) -> list[Problem]:
        """Packages, models, negatives strategy and memory."""
        return readiness.problems(preset)

    def native(self, preset: EmbeddingPreset) -> str:
        """The library's arguments as YAML."""
        return native.native(preset)

    def train(self, run: Run, preset: EmbeddingPreset) -> None:
        """Train from the newest checkpoint, or the untouched model, into ``run.checkpoints / "tuned"``."""
        from backends.sentence_transformers.training import Training

        tuned = Training(run, preset, load(run.data), self.base(run, preset)).start()
        run.emit(Saved(what="adapter" if preset.method.type == "lora" else "model", path=run.relative(tuned)))
