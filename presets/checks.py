"""Checks across fields that need no library, no data and no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data.problems import Problem

if TYPE_CHECKING:
    from presets.tasks.embedding import EmbeddingPreset


def embedding(preset: EmbeddingPreset) -> list[Problem]:
    """What does not go together in ``preset``."""
    return preset.loss.problems("loss")
