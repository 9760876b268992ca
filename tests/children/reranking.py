"""What the tests of rerankers share: a preset for a tiny cross-encoder, and going through its stages here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.children import evaluation
from tests.children.evaluation import STAGES
from tests.conftest import DEVICE
from tunewiz.backends.engines.cross_encoder import CrossEncoder
from tunewiz.backends.runs.run import Run
from tunewiz.presets.tasks.reranker import RerankerPreset


def reranker_preset(model: Path, data: Path, **changes: Any) -> RerankerPreset:
    """Two quick steps on the CPU over the candidates of BM25."""
    training = {"batch_size": 8, "max_steps": 2, "log_every": 1, "learning_rate": 1e-3, "max_length": 48}
    settings: dict[str, Any] = {
        "name": "tiny-reranker",
        "model": {"id": str(model), "source": "local"},
        "data": {"train": str(data), "negatives": {"strategy": "random", "per_query": 2, "candidates": 10}},
        "candidates": {"depth": 8, "search_share": 0},
        "loss": "binary_cross_entropy",
        "evaluation": {"k": [1, 3], "metric": "ndcg@3", "bootstrap": 200, "general": False},
        "launch": {"device": DEVICE},
    }
    settings |= {name: value for name, value in changes.items() if name != "training"}
    settings["training"] = training | dict(changes.get("training", {}))
    return RerankerPreset.model_validate(settings)


def go_through(run: Run, preset: RerankerPreset, stages: tuple[str, ...] = STAGES) -> str:
    """The stages in this process; the verdict."""
    return evaluation.go_through(run, preset, stages, CrossEncoder())
