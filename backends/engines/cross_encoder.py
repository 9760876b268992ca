"""The engine on sentence-transformers' CrossEncoder: rerankers, by any of its losses.

Its training is :mod:`tunewiz.backends.training.reranker_training`, which the engine on FlagEmbedding builds upon too.
"""

from __future__ import annotations

from typing import ClassVar

from tunewiz.backends import readiness
from tunewiz.backends.runs.events import Saved
from tunewiz.backends.runs.run import Run
from tunewiz.backends.stages.retrieval import RerankingBackend
from tunewiz.backends.training.arguments import library_yaml
from tunewiz.data.retrieval.prepared import load
from tunewiz.language import N_
from tunewiz.presets.tasks.reranker import RerankerPreset
from tunewiz.problems import Problem


class CrossEncoder(RerankingBackend):
    """Trains with ``CrossEncoderTrainer``; everything else is :class:`RerankingBackend`'s."""

    name = "cross_encoder"
    strategies = frozenset({"ddp"})
    description: ClassVar[str] = N_("sentence-transformers: rerankers with every loss over pairs, lists and groups.")

    def problems(self, preset: RerankerPreset) -> list[Problem]:
        """Packages, models, negatives strategy and memory."""
        return readiness.problems(preset, self.packages)

    def native(self, preset: RerankerPreset) -> str:
        """The library's arguments as YAML."""
        return reranker_yaml(preset)

    def train(self, run: Run, preset: RerankerPreset) -> None:
        """Train from the newest checkpoint, or the untouched model, into ``run.checkpoints / "tuned"``."""
        from tunewiz.backends.training.reranker_training import RerankerTraining

        tuned = RerankerTraining(run, preset, load(run.data), self.base(run, preset)).start()
        run.emit(Saved(what="adapter" if preset.method.type == "lora" else "model", path=run.relative(tuned)))


def reranker_yaml(preset: RerankerPreset) -> str:
    """YAML text: the model, the loss's class and arguments, the training arguments, the adapter's configuration."""
    return library_yaml(preset, "CrossEncoder", num_labels=1, activation_fn=_activation(preset))


def _activation(preset: RerankerPreset) -> str:
    return {"sigmoid": "torch.nn.Sigmoid", "identity": "torch.nn.Identity"}[preset.loss.activation]
