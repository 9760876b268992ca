"""Rerankers trained with FlagEmbedding."""

from __future__ import annotations

from backends.cross_encoder import readiness as searching
from backends.flag_embedding import native, readiness
from backends.reranking_stages import RerankingBackend
from backends.runs.events import Saved
from backends.runs.run import Run
from data.prepared import Prepared, load
from data.problems import BadPreset, Problem
from presets.losses.reranker.group_softmax import GroupSoftmax
from presets.tasks.reranker import RerankerPreset


class FlagReranker(RerankingBackend):
    """Trains with FlagEmbedding's model and trainer; everything else is :class:`RerankingBackend`'s."""

    name = "flag_reranker"

    def problems(self, preset: RerankerPreset) -> list[Problem]:
        """Packages, models, negatives strategy, memory, and what the groups ask for."""
        return [*searching.problems(preset, ("FlagEmbedding",)), *readiness.groups(preset)]

    def native(self, preset: RerankerPreset) -> str:
        """The library's arguments as YAML."""
        return native.reranker(preset)

    def check(self, preset: RerankerPreset, prepared: Prepared) -> None:
        """Raise :class:`BadPreset` where the rows cannot make the loss's groups, before anything is measured."""
        from backends.flag_embedding import rows
        from backends.flag_embedding.reranking import in_groups

        super().check(preset, prepared)
        if isinstance(preset.loss, GroupSoftmax):
            found = rows.problems(preset.loss, in_groups(prepared))
            if found:
                raise BadPreset(*found)

    def train(self, run: Run, preset: RerankerPreset) -> None:
        """Train from the newest checkpoint, or the untouched model, into ``run.checkpoints / "tuned"``."""
        from backends.flag_embedding.reranking import FlagReranking

        tuned = FlagReranking(run, preset, load(run.data), self.base(run, preset)).start()
        run.emit(Saved(what="adapter" if preset.method.type == "lora" else "model", path=run.relative(tuned)))
