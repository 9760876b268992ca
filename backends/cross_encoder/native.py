"""A preset as what sentence-transformers' CrossEncoder is called with, for people who know the library."""

from __future__ import annotations

from backends.sentence_transformers.native import library_yaml
from presets.tasks.reranker import RerankerPreset


def native(preset: RerankerPreset) -> str:
    """YAML text: the model, the loss's class and arguments, the training arguments, the adapter's configuration."""
    return library_yaml(preset, "CrossEncoder", num_labels=1, activation_fn=_activation(preset))


def _activation(preset: RerankerPreset) -> str:
    return {"sigmoid": "torch.nn.Sigmoid", "identity": "torch.nn.Identity"}[preset.loss.activation]
