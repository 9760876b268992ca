"""The engine on sentence-transformers: contrastive tuning of bi-encoders.

Its training is :mod:`tunewiz.backends.training.encoder_training`, which the engine on FlagEmbedding builds upon too.
"""

from __future__ import annotations

from tunewiz.backends import readiness
from tunewiz.backends.runs.events import Saved
from tunewiz.backends.runs.run import Run
from tunewiz.backends.stages.retrieval import RetrievalBackend
from tunewiz.backends.training.arguments import library_yaml
from tunewiz.data.retrieval.prepared import load
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.presets.tasks.embedding import EmbeddingPreset
from tunewiz.problems import Problem


class SentenceTransformers(RetrievalBackend):
    """Trains with ``SentenceTransformerTrainer``; everything else is :class:`RetrievalBackend`'s."""

    name = "sentence_transformers"
    strategies = frozenset({"ddp"})

    def problems(self, preset: EmbeddingPreset) -> list[Problem]:
        """Packages, models, negatives strategy and memory."""
        return readiness.problems(preset, self.packages)

    def native(self, preset: EmbeddingPreset) -> str:
        """The library's arguments as YAML."""
        return encoder_yaml(preset)

    def train(self, run: Run, preset: EmbeddingPreset) -> None:
        """Train from the newest checkpoint, or the untouched model, into ``run.checkpoints / "tuned"``."""
        from tunewiz.backends.training.encoder_training import EncoderTraining

        tuned = EncoderTraining(run, preset, load(run.data), self.base(run, preset)).start()
        run.emit(Saved(what="adapter" if preset.method.type == "lora" else "model", path=run.relative(tuned)))


def encoder_yaml(preset: RetrievalPreset) -> str:
    """YAML text: the model, the loss's class and arguments, the training arguments, the adapter's configuration.

    Arguments that depend on the number of rows (warm-up and evaluation steps) are said in words.
    """
    return library_yaml(preset, "SentenceTransformer")
