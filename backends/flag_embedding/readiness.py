"""What keeps a preset from training with FlagEmbedding on this machine."""

from __future__ import annotations

from collections.abc import Iterator

from backends.sentence_transformers import readiness
from data.problems import Problem, Where, say, warning
from presets.losses.info_nce import Grouped
from presets.losses.reranker.group_softmax import GroupSoftmax
from presets.retrieval import RetrievalPreset
from presets.tasks.embedding import EmbeddingPreset


def problems(preset: EmbeddingPreset) -> list[Problem]:
    """As for sentence-transformers, which this backend searches and exports with; and what the groups ask for."""
    return [*readiness.problems(preset, ("FlagEmbedding",)), *groups(preset)]


def groups(preset: RetrievalPreset) -> Iterator[Problem]:
    """More negatives wanted than are mined; what the data itself brings is known when the run has read it."""
    loss, mined = preset.loss, preset.data.negatives
    if not isinstance(loss, (Grouped, GroupSoftmax)) or mined.strategy == "none":
        return
    if loss.group_size != "auto" and loss.group_size > mined.per_query + 1:
        told = say(
            "A group of {size} needs {wanted} negatives a query; {count} are mined.",
            size=loss.group_size,
            wanted=loss.group_size - 1,
            count=mined.per_query,
        )
        fix = say("Set data.negatives.per_query to {wanted}, or loss.group_size to auto.", wanted=loss.group_size - 1)
        yield warning("group-above-mined", told, Where(key="loss.group_size"), fix)
    if loss.distillation != "none":
        told = say("Mined negatives have no teacher's score; rows with them are left out when distilling.")
        fix = say("Set data.negatives.strategy to none, or loss.distillation to none.")
        yield warning("mined-untaught", told, Where(key="data.negatives.strategy"), fix)
