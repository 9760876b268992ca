"""The stages that every engine for embedding models or rerankers shares: all but training.

Where the model is, the data, what is measured before and after, the exported folder, the report.
"""

from __future__ import annotations

import shutil
import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from tunewiz.backends import readiness
from tunewiz.backends.engines import Backend
from tunewiz.backends.evaluate.measuring import MeasureOptions, measure, measure_with, search_encoder
from tunewiz.backends.evaluate.metrics import canonical
from tunewiz.backends.evaluate.records import FUSION
from tunewiz.backends.models import run_models
from tunewiz.backends.models.batching import no_progress
from tunewiz.backends.models.loading import at_times, device_of
from tunewiz.backends.runs.create import add_to_record, record_folder
from tunewiz.backends.runs.events import Evaluated, Progress, Saved, StageName
from tunewiz.backends.runs.run import Run
from tunewiz.backends.stages.foresight import foreseen
from tunewiz.backends.stages.forgetting import rank_beside, search_beside
from tunewiz.backends.training.adjusting import write_preset
from tunewiz.backends.training.checkpoints import take_away
from tunewiz.backends.training.out_of_memory import with_values
from tunewiz.data.reading.source import Dataset
from tunewiz.data.retrieval.prepared import Plan, Prepared, load, save
from tunewiz.data.rows.examples import Collection, texts_of_example
from tunewiz.data.text.language import language_of
from tunewiz.presets.checks import language_problems
from tunewiz.presets.losses.loss import RerankerLoss
from tunewiz.presets.losses.matryoshka import Matryoshka
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.presets.recipe import Known, open_keys
from tunewiz.presets.tasks.embedding import EmbeddingPreset
from tunewiz.presets.tasks.reranker import RerankerPreset
from tunewiz.presets.yaml.library import load as load_preset
from tunewiz.presets.yaml.writing import dumps
from tunewiz.problems import BadPreset, Message, Problem, Where, note, say, warning

if TYPE_CHECKING:
    from tunewiz.backends.evaluate import Measurement, MetricOptions
    from tunewiz.backends.evaluate.metrics import Rankings
    from tunewiz.backends.models.encoding import SearchEncoder
    from tunewiz.backends.models.reranking import PairScorer


R = TypeVar("R", bound=RetrievalPreset)


def plan_of(preset: RetrievalPreset) -> Plan:
    """The preset's data section in the terms of :mod:`tunewiz.data.retrieval.prepare`."""
    data, held_out = preset.data, preset.data.evaluation
    train, *others = data.datasets
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
        max_tokens=preset.training.max_length,
        others=tuple(others),
    )


def texts_a_row(preset: RetrievalPreset, prepared: Prepared) -> float:
    """Texts that a step of training reads for a row of ``prepared``, on average over the largest that one may hold."""
    from tunewiz.backends.training import loss_rows, reranker_rows

    own = loss_rows.Own.of(preset)
    if isinstance(preset.loss, RerankerLoss):
        return reranker_rows.documents_a_row(preset.loss, prepared, own, preset.training.batch_size)
    return loss_rows.texts_a_row(preset.loss, prepared.groups, own)


def wanted_of(preset: RetrievalPreset) -> MetricOptions:
    """Which metrics the preset asks for, the primary one among them."""
    from tunewiz.backends.evaluate import MetricOptions

    return MetricOptions(tuple(preset.evaluation.k), (preset.evaluation.metric,), preset.training.seed)


class RetrievalStages(Backend[R], Generic[R]):
    """Prepares and reports; what is measured and exported is the task's."""

    def base(self, run: Run, preset: R) -> Path:
        """The folder of the untouched model, downloaded if need be. Raises ``ModelUnavailable``."""
        return run_models.fetched_base(run, preset.model)

    def tuned(self, run: Run) -> Path:
        """The folder that training leaves its result in."""
        return run.checkpoints / "tuned"

    def prepare(self, run: Run, preset: R) -> None:
        """Read, clean and split; look at lengths; mine negatives; write ``run.data``."""
        from tunewiz.backends.evaluate.lengths import length_problems
        from tunewiz.data.retrieval.prepare import prepare

        run_models.fetch_datasets(run, preset)
        prepared = self.shaped(run, preset, prepare(plan_of(preset), run.notice))
        language = language_of(text for row in prepared.train for _, text in texts_of_example(row))
        for problem in language_problems(preset, language):
            run.notice(problem)
        path = self.base(run, preset)
        for problem in length_problems(path, preset, prepared):
            run.notice(problem)
        run.check_stop()
        prepared = self._with_negatives(run, preset, path, prepared)
        self.check(preset, prepared)
        preset = self.settled(run, preset, path, prepared)
        save(prepared, run.data)
        texts = texts_a_row(preset, prepared)
        for problem in readiness.memory_findings(preset, texts):
            run.notice(replace(problem, severity="warning"))  # what does not fit is made smaller when it is tried
        for problem in foreseen(preset, prepared, path, device_of(preset.launch)):
            run.notice(problem)
        sources = list(map(asdict, prepared.sources))
        facts = {"data": dict(prepared.hashes), "counts": dict(prepared.counts), "sources": sources}
        add_to_record(run, **facts, row_texts=texts)
        run.emit(Saved(what="data", path=run.relative(run.data)))

    def _with_negatives(self, run: Run, preset: R, path: Path, prepared: Prepared) -> Prepared:
        """``prepared`` with negatives mined as the preset wants, and looked through by its teacher."""
        from tunewiz.backends.negatives.mining import with_negatives, write_mined
        from tunewiz.backends.negatives.teaching import SPARE, with_teacher

        data, own = preset.data, [len(group.negatives) for group in prepared.groups]
        miner = self.miner(run, preset, path, prepared)
        found = with_negatives(
            run,
            prepared,
            data.negatives,
            preset.training.seed,
            miner,
            corpus=data.evaluation.data is None,
            spare=SPARE if data.teacher.filters else 1,
        )
        taught = with_teacher(run, found, own, preset, measure_options(run, preset, "prepare"))
        if data.teacher.filters and taught.groups and data.negatives.strategy != "none":
            write_mined(run, own, taught.groups)
        return taught

    def settled(self, run: Run, preset: R, path: Path, prepared: Prepared) -> R:
        """``preset`` with what its recipe leaves open chosen; the run is told, and its preset written anew."""
        from tunewiz.backends.training.recipes import rows_of, settled, shared_of

        if not open_keys(preset.training):
            return preset
        validated = bool(prepared.validation) and preset.training.tuned_share == "auto"
        known = replace(
            self.known(run, preset, path, prepared),
            rows=rows_of(prepared),
            validated=validated,
            shared=shared_of(prepared),
        )
        return settled(run, preset, known)

    def known(self, run: Run, preset: R, path: Path, prepared: Prepared) -> Known:
        """What the task knows of the untouched model in the folder ``path``."""
        return Known(0)

    def shaped(self, run: Run, preset: R, prepared: Prepared) -> Prepared:
        """``prepared`` in the shape that the task mines and trains on."""
        return prepared

    def miner(self, run: Run, preset: R, path: Path, prepared: Prepared) -> Callable[[], SearchEncoder]:
        """What loads the model that dense negatives are mined with; ``path`` is the untouched model."""
        options = measure_options(run, preset, "prepare")
        return lambda: search_encoder(path, preset, options)

    def check(self, preset: R, prepared: Prepared) -> None:
        """Raise ``BadPreset`` where training could not use ``prepared``."""

    def left(self, run: Run, preset: R, stage: StageName) -> Path | None:
        """The tuned model, and the exported one."""
        return {"train": self.tuned(run), "export": run.model}.get(stage)

    def tidy(self, run: Run, preset: R) -> None:
        """Take away vectors that were kept for measuring, and checkpoints unless they are wanted."""
        shutil.rmtree(run.data / "vectors", ignore_errors=True)
        take_away(run, preset.export.keep_checkpoints)

    def report(self, run: Run, preset: R) -> str:
        """Write ``run.report``; the verdict."""
        from tunewiz.backends.reports.retrieval_report import write_report

        verdict: str = write_report(run, preset)
        run.emit(Saved(what="report", path=run.relative(run.report / "report.md")))
        return verdict


def export_with(exporter: str, run: Run, preset: RetrievalPreset, tuned: Path, beside: Sequence[Path] = ()) -> None:
    """Write ``run.model`` by the exporter called so, copies of the files ``beside`` in it."""
    from tunewiz.backends.export.exporters import catalogue

    written = catalogue()[exporter]().export(run, preset, tuned, run.model, beside)
    record_folder(run, run.model)
    for folder in written:
        run.emit(Saved(what="model" if folder == run.model else "adapter", path=run.relative(folder)))


def measure_options(run: Run, preset: RetrievalPreset, stage: str) -> MeasureOptions:
    """Device and batch of the preset; progress goes to the run's events, its stop file is looked at."""
    from tunewiz.backends.models.loading import device_of, use_threads

    use_threads(preset.launch)
    begun = time.monotonic()
    # Mining with the model encodes in prepare what the baseline measures.
    shared = preset.data.negatives.strategy == "dense" and stage in ("prepare", "baseline")

    def tell(done: int, total: int) -> None:
        rate = done / max(1e-9, time.monotonic() - begun)  # a clock's tick may be longer than the first batch takes
        run.emit(Progress(stage=stage, step=done, total=total, values={"samples_per_second": rate}))

    return MeasureOptions(
        device=device_of(preset.launch),
        batch_size=preset.evaluation.batch_size,
        cache=run.data / "vectors" if shared else None,
        progress=at_times(tell),
        check_stop=run.check_stop,
    )


def no_query_held_out() -> Problem:
    """That there will be no verdict."""
    message = say("No query is held out, so the model is not measured and there will be no verdict.")
    return warning(
        "nothing-to-measure", message, fix=say("Set data.evaluation.fraction above 0, or name evaluation data.")
    )


# What every backend that tunes an embedding model shares: all stages but training.


When = Literal["before", "after"]


class RetrievalBackend(RetrievalStages[EmbeddingPreset]):
    """Prepares, measures, exports and reports; a subclass trains."""

    tasks = frozenset({"embedding"})

    @abstractmethod
    def train(self, run: Run, preset: EmbeddingPreset) -> None:
        """Train from :meth:`base`'s model and leave the tuned one (or its adapter) in :meth:`tuned`'s folder."""

    def known(self, run: Run, preset: EmbeddingPreset, path: Path, prepared: Prepared) -> Known:
        """How much the untouched model finds of what training queries ask for, where the epochs hang on it."""
        from tunewiz.backends.training.recipes import sample

        collection = sample(prepared, preset.training.seed) if "epochs" in open_keys(preset.training) else None
        if collection is None:
            return Known(0)
        from tunewiz.backends.evaluate import MetricOptions

        metric = canonical(preset.evaluation.metric)
        wanted = MetricOptions((), (metric,), preset.training.seed)
        measured = measure(path, collection, wanted, preset, measure_options(run, preset, "prepare"))
        return Known(0, measured.metrics[metric], metric)

    def baseline(self, run: Run, preset: EmbeddingPreset) -> None:
        """Measure the untouched model, unless the preset does without."""
        if preset.evaluation.baseline:
            self._measure(run, preset, self.base(run, preset), "before")

    def evaluate(self, run: Run, preset: EmbeddingPreset) -> None:
        """Measure the tuned model on the same queries."""
        self._measure(run, preset, self.tuned(run), "after")

    def export(self, run: Run, preset: EmbeddingPreset) -> None:
        """Write ``run.model`` and check it."""
        export_with("sentence_transformers", run, preset, self.tuned(run))

    def _measure(self, run: Run, preset: EmbeddingPreset, path: Path, when: When) -> None:
        from tunewiz.backends.evaluate.full_search import Retrieval

        collection = load(run.data).evaluation
        if not collection.qrels:
            run.notice(no_query_held_out())
            return
        stage = "baseline" if when == "before" else "evaluate"
        options = measure_options(run, preset, stage)
        wanted = wanted_of(preset) if when == "before" else replace(wanted_of(preset), smaller=_lengths(preset))
        encoder = search_encoder(path, preset, options)
        measured: Measurement = measure_with(lambda: encoder, collection, wanted)
        Retrieval().save(measured, run.report / when)
        run.emit(Evaluated(when=when, metrics=measured.metrics, seconds=measured.seconds))
        search_beside(run, preset, encoder, when)
        self._beside(run, preset, collection, measured, when)

    def _beside(
        self, run: Run, preset: EmbeddingPreset, collection: Collection, measured: Measurement, when: When
    ) -> None:
        """Search by shared words on the same queries, and both together."""
        from tunewiz.backends.evaluate import by_words

        wanted, metric = wanted_of(preset), canonical(preset.evaluation.metric)
        words = by_words.measure_by_words(collection, wanted, run.report)
        if words is None:
            return
        stem = run.report / f"{FUSION}.{when}"
        both = by_words.measure_fused(measured.rankings, words.rankings, collection, wanted, stem)
        values: dict[str, Measurement] = {"words": words, "model": measured, "both": both}
        told: dict[str, str | Message] = {name: f"{item.metrics.get(metric, 0.0):.4f}" for name, item in values.items()}
        told["side"] = say("the untouched model") if when == "before" else say("the tuned model")
        message = say(
            "{metric} of search by shared words (BM25): {words}; by {side}: {model}; by both, ranks fused: {both}.",
            metric=metric,
            **told,
        )
        run.notice(note("by-words", message))


def _lengths(preset: EmbeddingPreset) -> tuple[int, ...]:
    """Of vectors that training went for beside the whole ones."""
    return tuple(preset.loss.dimensions) if isinstance(preset.loss, Matryoshka) else ()


# What every backend that tunes a reranker shares: all stages but training.


#: Below this share of right documents among the candidates no reranker can help much.
_LOW_CEILING = 0.7


class RerankingBackend(RetrievalStages[RerankerPreset]):
    """Prepares, searches, reranks, measures, exports and reports; a subclass trains."""

    tasks = frozenset({"reranker"})

    @abstractmethod
    def train(self, run: Run, preset: RerankerPreset) -> None:
        """Train from :meth:`base`'s model and leave the tuned one (or its adapter) in :meth:`tuned`'s folder."""

    def shaped(self, run: Run, preset: RerankerPreset, prepared: Prepared) -> Prepared:
        """Marked pairs become queries with right and wrong documents where negatives are to be mined."""
        from tunewiz.backends.training.reranker_rows import with_groups

        return with_groups(prepared, run.notice) if preset.data.negatives.strategy != "none" else prepared

    def miner(self, run: Run, preset: RerankerPreset, path: Path, prepared: Prepared) -> Callable[[], SearchEncoder]:
        """Dense negatives are those of the embedding model that searches."""
        from tunewiz.backends.evaluate.two_stage import embedder, first_stage

        texts = (text for row in prepared.train for _, text in texts_of_example(row))
        wanted = first_stage(preset.candidates, texts)
        if "dense" in (wanted.strategy, preset.data.negatives.strategy) and wanted != preset.candidates:
            message = say(
                "The search is by {id}: it installs with Tunewiz and knows the texts' language.", id=wanted.model
            )
            run.notice(note("search-model", message))
        return lambda: embedder(wanted.model, measure_options(run, preset, "prepare"))

    def known(self, run: Run, preset: RerankerPreset, path: Path, prepared: Prepared) -> Known:
        """Whether the model has a head that ranks."""
        from tunewiz.backends.models.loading import has_head

        return Known(0, fresh=not has_head(path))

    def check(self, preset: RerankerPreset, prepared: Prepared) -> None:
        """Raise :class:`BadPreset` where the loss cannot learn from what was prepared."""
        from tunewiz.backends.training.reranker_rows import reranker_loss_problems

        found = reranker_loss_problems(preset.loss, prepared, preset.data.negatives.strategy)
        if found:
            raise BadPreset(*found)

    def baseline(self, run: Run, preset: RerankerPreset) -> None:
        """Measure search alone, and the untouched reranker on top of it if it is one."""
        from tunewiz.backends.models.loading import has_head

        collection = load(run.data).evaluation
        if not collection.qrels:
            run.notice(no_query_held_out())
            return
        self.candidates(run, preset, collection)
        path = self.base(run, preset)
        if not has_head(path):
            run.notice(_fresh_head())
        elif preset.evaluation.baseline:
            self._measure(run, preset, path, "before")

    def evaluate(self, run: Run, preset: RerankerPreset) -> None:
        """Measure the tuned reranker on the same candidates, its share of the search settled before."""
        if load(run.data).evaluation.qrels:
            self._measure(run, preset, self.tuned(run), "after")
        elif preset.candidates.search_share == "auto":
            self._settle_share(run, self._usual_share(run, preset))

    def candidates(self, run: Run, preset: RerankerPreset, collection: Collection) -> Rankings:
        """What the first stage finds, measured once and kept beside the report."""
        from tunewiz.backends.evaluate.metrics import read_run
        from tunewiz.backends.evaluate.two_stage import TwoStage, measure_candidates, search_candidates

        stem = run.report / "search"
        if stem.with_name("search.json").is_file():
            return read_run(stem.with_name("search.run.tsv"))
        found = search_candidates(
            preset.candidates, collection, preset.training.seed, measure_options(run, preset, "baseline")
        )
        measured: Measurement = measure_candidates(found, collection, wanted_of(preset), preset.candidates.depth)
        TwoStage().save(measured, stem)
        run.emit(Evaluated(when="before", what="search", metrics=measured.metrics, seconds=measured.seconds))
        for problem in _of_candidates(measured):
            run.notice(problem)
        return found.rankings

    def export(self, run: Run, preset: RerankerPreset) -> None:
        """Write ``run.model`` and check it."""
        export_with("cross_encoder", run, preset, self.tuned(run))

    def _measure(self, run: Run, preset: RerankerPreset, path: Path, when: When) -> None:
        from tunewiz.backends.evaluate.two_stage import TwoStage
        from tunewiz.backends.models.batching import EncodeOptions
        from tunewiz.backends.models.loading import load_reranker
        from tunewiz.backends.models.reranking import ready_to_score

        collection = load(run.data).evaluation
        candidates = self.candidates(run, preset, collection)
        options = measure_options(run, preset, "baseline" if when == "before" else "evaluate")
        model = load_reranker(path, preset, options.device)
        with ready_to_score(
            model, EncodeOptions(most=options.batch_size), options.progress, options.check_stop
        ) as scorer:
            evaluator = TwoStage(candidates, self._share(run, preset, scorer, options, when))
            measured = evaluator.measure(scorer, collection, wanted_of(preset))
            evaluator.save(measured, run.report / when)
            run.emit(Evaluated(when=when, metrics=measured.metrics, seconds=measured.seconds))
            rank_beside(run, preset, scorer, when)

    def _share(
        self, run: Run, preset: RerankerPreset, scorer: PairScorer, options: MeasureOptions, when: When
    ) -> float:
        """How much the search counts beside ``scorer``; of the tuned reranker it becomes a number in the preset."""
        from tunewiz.backends.evaluate.search_share import choose_share
        from tunewiz.backends.training.validation import collection_of

        if preset.candidates.search_share != "auto":
            return preset.candidates.search_share
        usual, prepared = self._usual_share(run, preset), load(run.data)
        choice = None
        if prepared.validation:
            collection = collection_of(prepared, preset.training.seed)
            quiet = replace(options, progress=no_progress)
            choice = choose_share(scorer.quietly(), preset, collection, usual, quiet)
        share = choice.share if choice else usual
        if when == "after":
            self._settle_share(run, share, choice.told(canonical(preset.evaluation.metric)) if choice else None)
        return share

    def _usual_share(self, run: Run, preset: RerankerPreset) -> float:
        """What serves where no validation query tells."""
        from tunewiz.backends.models.loading import has_head

        return preset.candidates.share(fresh=not has_head(self.base(run, preset)))

    @staticmethod
    def _settle_share(run: Run, share: float, told: Problem | None = None) -> None:
        """Write ``share`` into the run's preset, and say why."""
        key = "candidates.search_share"
        if told is None:
            message = say("The search's scores count {share} of the final order: no validation query tells more.",
                          share=f"{share:g}")  # fmt: skip
            told = note("search-share", message, Where(key=key))
        preset = with_values(load_preset(str(run.preset_file)), {key: share})
        write_preset(run, dumps(preset), say("{key}: {why}", key=key, why=told.message))
        run.notice(told)


def _fresh_head() -> Problem:
    return note("fresh-head", say("The model is an encoder: it gets a fresh head, which knows nothing before training. "
                                  "The tuned reranker is compared with search alone."))  # fmt: skip


def _of_candidates(measured: Measurement) -> list[Problem]:
    """How far reranking can get at most."""
    facts = measured.facts
    message = say(
        "Among the first {depth} results of the search lie {percent} % of the right documents: no reranker finds more. "
        "For {count} of {queries} queries there is none.",
        depth=facts["depth"], percent=round(100 * facts["ceiling"], 1), count=facts["out_of_reach"],
        queries=facts["queries"],
    )  # fmt: skip
    if facts["ceiling"] >= _LOW_CEILING:
        return [note("candidates", message)]
    fix = say("Raise candidates.depth, or search with a better model (candidates.strategy: dense).")
    return [warning("candidates-without-answers", message, fix=fix)]
