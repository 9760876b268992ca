"""The stages that every retrieval task shares: where the model is, the data, the exported folder, the report."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from backends import base_model
from backends.base import Backend
from backends.measuring import Manner, at_times, search_encoder
from backends.runs.create import add_to_record
from backends.runs.events import Progress, Saved
from backends.runs.run import Run
from data.dataset import Dataset
from data.plan import Plan
from data.prepared import Prepared, save
from data.problems import Problem, say, warning
from presets.retrieval import RetrievalPreset

if TYPE_CHECKING:
    from backends.encoder import SearchEncoder
    from backends.evaluators.base import Wanted

R = TypeVar("R", bound=RetrievalPreset)


def plan_of(preset: RetrievalPreset) -> Plan:
    """The preset's data section in the terms of :mod:`data.prepare`."""
    data, held_out = preset.data, preset.data.evaluation
    train = Dataset(
        data.train, data.format, data.split, data.columns, data.encoding, data.delimiter, data.header, data.limit
    )
    return Plan(
        train=train,
        evaluation=Dataset(held_out.data, split=held_out.split, like=train) if held_out.data else None,
        evaluation_split=held_out.split,
        fraction=held_out.fraction,
        validation=None if held_out.validation_fraction == "auto" else held_out.validation_fraction,
        corpus=held_out.corpus,
        queries=held_out.queries,
        qrels=held_out.qrels,
        seed=preset.training.seed,
        clean=data.clean,
        task=preset.task,
    )


def wanted_of(preset: RetrievalPreset) -> Wanted:
    """Which metrics the preset asks for, the primary one among them."""
    from backends.evaluators.base import Wanted

    return Wanted(tuple(preset.evaluation.k), (preset.evaluation.metric,), preset.training.seed)


class RetrievalStages(Backend[R], Generic[R]):
    """Prepares and reports; what is measured and exported is the task's."""

    def base(self, run: Run, preset: R) -> Path:
        """The folder of the untouched model, downloaded if need be. Raises ``ModelUnavailable``."""
        return base_model.fetched(run, preset.model)

    def tuned(self, run: Run) -> Path:
        """The folder that training leaves its result in."""
        return run.checkpoints / "tuned"

    def prepare(self, run: Run, preset: R) -> None:
        """Read, clean and split; look at lengths; mine negatives; write ``run.data``."""
        from backends.lengths import length_problems
        from backends.negatives.applying import with_negatives
        from data.prepare import prepare

        prepared = self.shaped(run, preset, prepare(plan_of(preset), run.notice))
        path = self.base(run, preset)
        for problem in length_problems(path, preset, prepared):
            run.notice(problem)
        run.check_stop()
        own_corpus = preset.data.evaluation.data is None
        prepared = with_negatives(
            run,
            prepared,
            preset.data.negatives,
            preset.training.seed,
            self.miner(run, preset, path),
            corpus=own_corpus,
        )
        self.check(preset, prepared)
        save(prepared, run.data)
        add_to_record(run, data=dict(prepared.hashes), counts=dict(prepared.counts))
        run.emit(Saved(what="data", path=run.relative(run.data)))

    def shaped(self, run: Run, preset: R, prepared: Prepared) -> Prepared:
        """``prepared`` in the shape that the task mines and trains on."""
        return prepared

    def miner(self, run: Run, preset: R, path: Path) -> Callable[[], SearchEncoder]:
        """What loads the model that dense negatives are mined with; ``path`` is the untouched model."""
        manner = manner_of(run, preset, "prepare")
        return lambda: search_encoder(path, preset, manner)

    def check(self, preset: R, prepared: Prepared) -> None:
        """Raise ``BadPreset`` where training could not use ``prepared``."""

    def report(self, run: Run, preset: R) -> str:
        """Write ``run.report``; the verdict."""
        from backends.reports.writing import write_report

        verdict: str = write_report(run, preset)
        run.emit(Saved(what="report", path=run.relative(run.report / "report.md")))
        return verdict


def export_with(exporter: str, run: Run, preset: RetrievalPreset, tuned: Path) -> None:
    """Write ``run.model`` by the exporter called so, and take away what only training needed."""
    import shutil

    from backends.exporters import catalogue

    for folder in catalogue()[exporter]().export(run, preset, tuned, run.model):
        run.emit(Saved(what="model" if folder == run.model else "adapter", path=run.relative(folder)))
    shutil.rmtree(run.data / "vectors", ignore_errors=True)
    if not preset.export.keep_checkpoints:
        shutil.rmtree(run.checkpoints, ignore_errors=True)


def manner_of(run: Run, preset: RetrievalPreset, stage: str) -> Manner:
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


def nothing_to_measure() -> Problem:
    """That there will be no verdict."""
    told = say("No query is held out, so the model is not measured and there will be no verdict.")
    return warning(
        "nothing-to-measure", told, fix=say("Set data.evaluation.fraction above 0, or name evaluation data.")
    )
