"""The backend on FlagEmbedding: BGE's own training code for embedding models."""

from __future__ import annotations

from typing import ClassVar

from backends.flag_embedding import native, readiness
from backends.retrieval import RetrievalBackend
from backends.runs.events import Saved
from backends.runs.run import Run
from data.language import N_
from data.prepared import load
from data.problems import BadPreset, Problem
from presets.losses.info_nce import Grouped
from presets.tasks.embedding import EmbeddingPreset


class FlagEmbedding(RetrievalBackend):
    """Trains with FlagEmbedding's models and trainer; everything else is :class:`RetrievalBackend`'s."""

    name = "flag_embedding"
    description: ClassVar[str] = N_(
        "FlagEmbedding, the code BGE models were made with: groups of negatives, a teacher's scores, BGE-M3 as a whole."
    )

    def problems(self, preset: EmbeddingPreset) -> list[Problem]:
        """Packages, models, negatives strategy, memory, and what the library cannot do."""
        return readiness.problems(preset)

    def native(self, preset: EmbeddingPreset) -> str:
        """The library's arguments as YAML."""
        return native.native(preset)

    def prepare(self, run: Run, preset: EmbeddingPreset) -> None:
        """As of every retrieval backend; groups that the rows cannot make are told before anything is measured."""
        from backends.flag_embedding import rows

        super().prepare(run, preset)
        if isinstance(preset.loss, Grouped):
            found = rows.problems(preset.loss, load(run.data))
            if found:
                raise BadPreset(*found)

    def train(self, run: Run, preset: EmbeddingPreset) -> None:
        """Train from the newest checkpoint, or the untouched model, into ``run.checkpoints / "tuned"``."""
        from backends.flag_embedding.training import FlagTraining

        tuned = FlagTraining(run, preset, load(run.data), self.base(run, preset)).start()
        run.emit(Saved(what="adapter" if preset.method.type == "lora" else "model", path=run.relative(tuned)))

    def export(self, run: Run, preset: EmbeddingPreset) -> None:
        """As of every retrieval backend; BGE-M3's heads go beside the model, where FlagEmbedding looks for them."""
        from backends.flag_embedding.models import COLBERT, SPARSE

        heads = [self.tuned(run) / name for name in (COLBERT, SPARSE)]
        kept = {path.name: path.read_bytes() for path in heads if path.is_file()}
        super().export(run, preset)
        for name, content in kept.items():
            (run.model / name).write_bytes(content)
