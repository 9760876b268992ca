"""What the user wants of the data for a language model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from data.conversations import Stage
from data.dataset import Dataset


@dataclass(frozen=True)
class LlmPlan:
    """Which data a run uses.

    Without ``evaluation``, ``fraction`` of the first questions is held out. ``validation`` is the share of the rest to
    watch training by: 0 for none, ``None`` for a tenth where there are enough rows. ``stage`` is what the rows are
    trained with; ``auto`` leaves it to their layout. ``placeholders`` fill ``{{name}}``. For rows with labels,
    ``prompt`` holds ``{text}`` and perhaps ``{labels}`` (``None``: one in the language of the texts), and ``labels``
    gives the set and its order (``None``: those of the data, sorted). ``system`` is put where a row has none.
    """

    train: Dataset
    evaluation: Dataset | None = None
    fraction: float = 0.1
    validation: float | None = None
    seed: int = 42
    clean: bool = True
    stage: Stage | Literal["auto"] = "auto"
    placeholders: Mapping[str, str] = field(default_factory=dict)
    prompt: str | None = None
    labels: tuple[str, ...] | None = None
    system: str | None = None
