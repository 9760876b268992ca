"""What the user wants of the data."""

from __future__ import annotations

from dataclasses import dataclass

from data.checks.base import MAX_TOKENS
from data.dataset import Dataset


@dataclass(frozen=True)
class Plan:
    """Which data a run uses.

    ``train.limit`` caps the training rows. ``evaluation`` is a file or BEIR folder of its own; without it, and without
    ``corpus``, ``queries`` and ``qrels`` (files), the train folder's ``evaluation_split`` is used, or ``fraction`` of
    the queries is held out. ``validation`` is the share of the training queries to watch training by: 0 for none,
    ``None`` for a tenth where there are :data:`data.prepare.AUTO_VALIDATION_FROM` or more. Texts of more than
    ``max_tokens`` (what the model will read) are told of.
    """

    train: Dataset
    evaluation: Dataset | None = None
    evaluation_split: str = "auto"
    fraction: float = 0.1
    validation: float | None = None
    corpus: str | None = None
    queries: str | None = None
    qrels: str | None = None
    seed: int = 42
    clean: bool = True
    task: str = "embedding"
    max_tokens: int = MAX_TOKENS
