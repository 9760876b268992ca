"""What every backend that tunes a reranker shares: all stages but training."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from backends.runs.events import Evaluated
from backends.runs.run import Run
from backends.stages import RetrievalStages, export_with, manner_of, nothing_to_measure, wanted_of
from data.examples import Collection
from data.prepared import Prepared, load
from data.problems import BadPreset, Problem, note, say, warning
from presets.tasks.reranker import RerankerPreset

if TYPE_CHECKING:
    from backends.encoder import SearchEncoder
    from backends.evaluators.base import Measurement
    from backends.evaluators.metrics import Rankings

When = Literal["before", "after"]
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
        from backends.cross_encoder.rows import with_groups

        return with_groups(prepared, run.notice) if preset.data.negatives.strategy != "none" else prepared

    def miner(self, run: Run, preset: RerankerPreset, path: Path) -> Callable[[], SearchEncoder]:
        """Dense negatives are those of the embedding model that searches."""
        from backends.candidates import embedder

        return lambda: embedder(preset.candidates.model, manner_of(run, preset, "prepare"))

    def check(self, preset: RerankerPreset, prepared: Prepared) -> None:
        """Raise :class:`BadPreset` where the loss cannot learn from what was prepared."""
        from backends.cross_encoder.rows import problems

        found = problems(preset.loss, prepared)
        if found:
            raise BadPreset(*found)

    def baseline(self, run: Run, preset: RerankerPreset) -> None:
        """Measure search alone, and the untouched reranker on top of it if it is one."""
        from backends.rerankers import has_head

        collection = load(run.data).evaluation
        if not collection.qrels:
            run.notice(nothing_to_measure())
            return
        self.candidates(run, preset, collection)
        path = self.base(run, preset)
        if not has_head(path):
            run.notice(_fresh_head())
        elif preset.evaluation.baseline:
            self._measure(run, preset, path, "before")

    def evaluate(self, run: Run, preset: RerankerPreset) -> None:
        """Measure the tuned reranker on the same candidates."""
        if load(run.data).evaluation.qrels:
            self._measure(run, preset, self.tuned(run), "after")

    def candidates(self, run: Run, preset: RerankerPreset, collection: Collection) -> Rankings:
        """What the first stage finds, measured once and kept beside the report."""
        from backends.candidates import as_measured, search
        from backends.evaluators.ranking import read_run
        from backends.evaluators.two_stage import TwoStage

        stem = run.report / "search"
        if stem.with_name("search.json").is_file():
            return read_run(stem.with_name("search.run.tsv"))
        found = search(preset.candidates, collection, preset.training.seed, manner_of(run, preset, "baseline"))
        measured: Measurement = as_measured(found, collection, wanted_of(preset), preset.candidates.depth)
        TwoStage().save(measured, stem)
        run.emit(Evaluated(when="before", what="search", metrics=measured.metrics, seconds=measured.seconds))
        for problem in _of_candidates(measured):
            run.notice(problem)
        return found.rankings

    def export(self, run: Run, preset: RerankerPreset) -> None:
        """Write ``run.model``, check it, and take away what only training needed."""
        export_with("cross_encoder", run, preset, self.tuned(run))

    def _measure(self, run: Run, preset: RerankerPreset, path: Path, when: When) -> None:
        from backends.batching import Computing
        from backends.evaluators.two_stage import TwoStage
        from backends.pair_scoring import ready_to_score
        from backends.rerankers import load_reranker

        collection = load(run.data).evaluation
        candidates = self.candidates(run, preset, collection)
        manner = manner_of(run, preset, "baseline" if when == "before" else "evaluate")
        model = load_reranker(path, preset, manner.device)
        evaluator = TwoStage(candidates, preset.candidates.search_share)
        with ready_to_score(model, Computing(most=manner.batch_size), manner.told, manner.check_stop) as scorer:
            measured = evaluator.measure(scorer, collection, wanted_of(preset))
        evaluator.save(measured, run.report / when)
        run.emit(Evaluated(when=when, metrics=measured.metrics, seconds=measured.seconds))


def _fresh_head() -> Problem:
    told = say(
        "The model is an encoder: it gets a fresh head, which knows nothing before training. The tuned reranker is "
        "compared with search alone."
    )
    return note("fresh-head", told)


def _of_candidates(measured: Measurement) -> list[Problem]:
    """How far reranking can get at most."""
    facts = measured.facts
    told = say(
        "Among the first {depth} results of the search lie {percent} % of the right documents: no reranker finds more. "
        "For {count} of {queries} queries there is none.",
        depth=facts["depth"],
        percent=round(100 * facts["ceiling"], 1),
        count=facts["out_of_reach"],
        queries=facts["queries"],
    )
    if facts["ceiling"] >= _LOW_CEILING:
        return [note("candidates", told)]
    fix = say("Raise candidates.depth, or search with a better model (candidates.strategy: dense).")
    return [warning("candidates-without-answers", told, fix=fix)]
