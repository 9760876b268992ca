"""Embedding models trained with FlagEmbedding."""

from __future__ import annotations

from pathlib import Path

from backends.flag_embedding import native, readiness
from backends.retrieval import RetrievalBackend, When
from backends.runs.events import Evaluated, Saved
from backends.runs.run import Run
from backends.stages import manner_of, wanted_of
from data.prepared import Prepared, load
from data.problems import BadPreset, Problem
from presets.losses.info_nce import Grouped
from presets.losses.m3_unified import M3Unified
from presets.tasks.embedding import EmbeddingPreset


class FlagEmbedder(RetrievalBackend):
    """Trains with FlagEmbedding's models and trainer; everything else is :class:`RetrievalBackend`'s."""

    name = "flag_embedder"

    def problems(self, preset: EmbeddingPreset) -> list[Problem]:
        """Packages, models, negatives strategy, memory, and what the library cannot do."""
        return readiness.problems(preset)

    def native(self, preset: EmbeddingPreset) -> str:
        """The library's arguments as YAML."""
        return native.native(preset)

    def check(self, preset: EmbeddingPreset, prepared: Prepared) -> None:
        """Raise :class:`BadPreset` where the rows cannot make the loss's groups, before anything is measured."""
        from backends.flag_embedding import rows
        from backends.sentence_transformers import fit
        from backends.sentence_transformers.rows import available

        found = fit.problems(preset.loss, available(prepared))
        if not found and isinstance(preset.loss, Grouped):
            found = rows.problems(preset.loss, prepared)
        if found:
            raise BadPreset(*found)

    def train(self, run: Run, preset: EmbeddingPreset) -> None:
        """Train from the newest checkpoint, or the untouched model, into ``run.checkpoints / "tuned"``."""
        from backends.flag_embedding.training import FlagTraining

        tuned = FlagTraining(run, preset, load(run.data), self.base(run, preset)).start()
        run.emit(Saved(what="adapter" if preset.method.type == "lora" else "model", path=run.relative(tuned)))

    def _measure(self, run: Run, preset: EmbeddingPreset, path: Path, when: When) -> None:
        """As of every retrieval backend; the other ways of a model with M3's heads too."""
        from backends.evaluators.retrieval import Retrieval
        from backends.flag_embedding.models import has_heads, tuned
        from backends.flag_embedding.ways import measure_ways
        from backends.loading import load_encoder, merge_adapter
        from backends.reports.ways import file_of

        super()._measure(run, preset, path, when)
        loss = preset.loss
        if not isinstance(loss, M3Unified) or not has_heads(path):
            return
        collection = load(run.data).evaluation
        if not collection.qrels:
            return
        manner = manner_of(run, preset, "baseline" if when == "before" else "evaluate")
        encoder = merge_adapter(load_encoder(path, preset, manner.device))
        model = tuned(encoder, loss, path, run.notice)
        for way, measured in measure_ways(model, collection, wanted_of(preset), manner).items():
            Retrieval().save(measured, run.report / file_of(way, when))
            run.emit(Evaluated(when=when, what=way, metrics=measured.metrics, seconds=measured.seconds))

    def export(self, run: Run, preset: EmbeddingPreset) -> None:
        """As of every retrieval backend; BGE-M3's heads go beside the model, where FlagEmbedding looks for them."""
        from backends.flag_embedding.models import COLBERT, SPARSE

        heads = [self.tuned(run) / name for name in (COLBERT, SPARSE)]
        kept = {path.name: path.read_bytes() for path in heads if path.is_file()}
        super().export(run, preset)
        for name, content in kept.items():
            (run.model / name).write_bytes(content)
