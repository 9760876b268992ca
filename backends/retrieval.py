"""What every backend that tunes a retrieval model shares: all stages but training."""

from __future__ import annotations

import time
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from backends import sources
from backends.base import Backend
from backends.measuring import Manner, at_times, measure, search_encoder
from backends.runs.create import add_to_record
from backends.runs.events import Evaluated, Progress, Saved
from backends.runs.run import Run
from data.dataset import Dataset
from data.files import read_json
from data.plan import Plan
from data.prepared import load, save
from data.problems import Problem, say, warning
from presets.tasks.embedding import EmbeddingPreset

if TYPE_CHECKING:
    from backends.encoder import SearchEncoder
    from backends.evaluators.base import Measurement, Wanted

When = Literal["before", "after"]


def plan_of(preset: EmbeddingPreset) -> Plan:
    """The preset's data section in the terms of :mod:`data.prepare`."""
    data, held_out = preset.data, preset.data.evaluation
    train = Dataset(
        data.train, data.format, data.split, data.columns, data.encoding, data.delimiter, data.header, data.limit
    )
    return Plan(
        train=train,
        evaluation=Dataset(held_out.data, split=held_out.split) if held_out.data else None,
        evaluation_split=held_out.split,
        fraction=held_out.fraction,
        validation=None if held_out.validation_fraction == "auto" else held_out.validation_fraction,
        corpus=held_out.corpus,
        queries=held_out.queries,
        qrels=held_out.qrels,
        seed=preset.training.seed,
        clean=data.clean,
    )


def wanted_of(preset: EmbeddingPreset) -> Wanted:
    """Which metrics the preset asks for, the primary one among them."""
    from backends.evaluators.base import Wanted

    return Wanted(tuple(preset.evaluation.k), (preset.evaluation.metric,), preset.training.seed)


class RetrievalBackend(Backend[EmbeddingPreset]):
    """Prepares, measures, exports and reports; a subclass trains."""

    tasks = frozenset({"embedding"})

    @abstractmethod
    def train(self, run: Run, preset: EmbeddingPreset) -> None:
        """Train from :meth:`base`'s model and leave the tuned one (or its adapter) in :meth:`tuned`'s folder."""

    def base(self, run: Run, preset: EmbeddingPreset) -> Path:
        """The folder of the untouched model, downloaded if need be. Raises ``ModelUnavailable``."""
        recorded = (read_json(run.record_file) or {}).get("model", {})
        if isinstance(recorded, dict) and Path(recorded.get("path") or "/nowhere").is_dir():
            return Path(recorded["path"])
        located = sources.resolve(preset.model, run.notice)

        def downloaded(done: int, total: int) -> None:
            if not located.cached:  # in MiB
                run.emit(Progress(stage="prepare", step=done >> 20, total=total >> 20))

        path = sources.fetch(located, at_times(downloaded))
        facts = {"path": str(path), "source": located.source, "place": located.place}
        add_to_record(run, model=facts | {"revision": located.revision, "licence": located.licence})
        return path

    def tuned(self, run: Run) -> Path:
        """The folder that training leaves its result in."""
        return run.checkpoints / "tuned"

    def prepare(self, run: Run, preset: EmbeddingPreset) -> None:
        """Read, clean and split; look at lengths; mine negatives; write ``run.data``."""
        from backends.lengths import length_problems
        from backends.negatives.applying import with_negatives
        from data.prepare import prepare

        prepared = prepare(plan_of(preset), run.notice)
        path = self.base(run, preset)
        for problem in length_problems(path, preset, prepared):
            run.notice(problem)
        run.check_stop()
        manner = manner_of(run, preset, "prepare")

        def encoder() -> SearchEncoder:
            return search_encoder(path, preset, manner)

        own_corpus = preset.data.evaluation.data is None
        prepared = with_negatives(
            run, prepared, preset.data.negatives, preset.training.seed, encoder, corpus=own_corpus
        )
        save(prepared, run.data)
        add_to_record(run, data=dict(prepared.hashes), counts=dict(prepared.counts))
        run.emit(Saved(what="data", path=run.relative(run.data)))

    def baseline(self, run: Run, preset: EmbeddingPreset) -> None:
        """Measure the untouched model, unless the preset does without."""
        if preset.evaluation.baseline:
            self._measure(run, preset, self.base(run, preset), "before")

    def evaluate(self, run: Run, preset: EmbeddingPreset) -> None:
        """Measure the tuned model on the same queries."""
        self._measure(run, preset, self.tuned(run), "after")

    def export(self, run: Run, preset: EmbeddingPreset) -> None:
        """Write ``run.model``, check it, and take away what only training needed."""
        import shutil

        from backends.exporters.sentence_transformers import SentenceTransformers

        for folder in SentenceTransformers().export(run, preset, self.tuned(run), run.model):
            run.emit(Saved(what="model" if folder == run.model else "adapter", path=run.relative(folder)))
        shutil.rmtree(run.data / "vectors", ignore_errors=True)
        if not preset.export.keep_checkpoints:
            shutil.rmtree(run.checkpoints, ignore_errors=True)

    def report(self, run: Run, preset: EmbeddingPreset) -> str:
        """Write ``run.report``; the verdict."""
        from backends.reports.writing import write_report

        verdict: str = write_report(run, preset)
        run.emit(Saved(what="report", path=run.relative(run.report / "report.md")))
        return verdict

    def _measure(self, run: Run, preset: EmbeddingPreset, path: Path, when: When) -> None:
        from backends.evaluators.retrieval import Retrieval

        collection = load(run.data).evaluation
        if not collection.qrels:
            run.notice(_nothing_to_measure())
            return
        stage = "baseline" if when == "before" else "evaluate"
        manner = manner_of(run, preset, stage)
        measured: Measurement = measure(path, collection, wanted_of(preset), preset, manner)
        Retrieval().save(measured, run.report / when)
        run.emit(Evaluated(when=when, metrics=measured.metrics, seconds=measured.seconds))


def manner_of(run: Run, preset: EmbeddingPreset, stage: str) -> Manner:
    """Device and batch of the preset; progress goes to the run's events, its stop file is looked at."""
    from backends.loading import device_of, use_threads

    use_threads(preset.launch)
    begun = time.monotonic()
    # Mining with the model encodes in prepare what the baseline measures.
    shared = preset.data.negatives.strategy == "dense" and stage in ("prepare", "baseline")

    def tell(done: int, total: int) -> None:
        rate = done / max(1e-9, time.monotonic() - begun)
        run.emit(Progress(stage=stage, step=done, total=total, values={"samples_per_second": rate}))

    return Manner(
        device=device_of(preset.launch),
        batch_size=preset.evaluation.batch_size,
        cache=run.data / "vectors" if shared else None,
        told=at_times(tell),
        check_stop=run.check_stop,
    )


def _nothing_to_measure() -> Problem:
    told = say("No query is held out, so the model is not measured and there will be no verdict.")
    return warning(
        "nothing-to-measure", told, fix=say("Set data.evaluation.fraction above 0, or name evaluation data.")
    )
