"""What to try next: the one adviser of reports, of the result screen and of ``tunewiz report``.

Rules over what is known of a run, the most telling first. They are pure and light: what is known lies in the run's
directory, and who asks decides in which language the advice is read.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from tunewiz.backends.evaluate.general import lost, remedy
from tunewiz.backends.evaluate.verdict import QUERIES, ROWS, Comparison
from tunewiz.backends.reports.metrics_file import BEST, MetricsFile
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.smoothing import smooth
from tunewiz.backends.runs.state import RunState
from tunewiz.presets import tasks
from tunewiz.presets.families import KnownModel, lookup
from tunewiz.presets.preset import Preset, RetrievalPreset
from tunewiz.presets.tasks.comparison import ComparisonPreset
from tunewiz.presets.tasks.embedding import EmbeddingPreset
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.presets.yaml.library import load
from tunewiz.problems import BadPreset, ExitCode, Message, TunewizError, say

MOST: Final = 5
_FEW_QUERIES: Final = 100
_FEW_ROWS: Final = 500
#: From here on a collection leaves too little room for a gain to be seen.
_EASY: Final = 0.95
#: Strategies that take for wrong what ranks high, and therefore now and then what is right.
_MINED: Final = ("bm25", "dense")
_SKIPPED: Final = 5  # top ranks, which are often right answers that nobody marked
_SMALL: Final = 200_000_000  # parameters, below which full tuning costs little
#: Points of the loss curve before it is judged, and what a last quarter must have gained to count as falling.
_POINTS, _FALLING = 20, 0.93
_UNSEEN_RISES: Final = 1.03


@dataclass(frozen=True)
class Known:
    """What is known of a run; no ``preset`` where it cannot be read, empty ``metrics`` where there are none."""

    run: Run
    state: RunState
    preset: Preset | None
    metrics: MetricsFile

    @cached_property
    def numbers(self) -> MetricsFile:
        """The numbers that the verdict goes by."""
        return self.metrics.deciding

    @cached_property
    def settings(self) -> Preset | None:
        """The settings that made those numbers: of a comparison or a sweep the best variant's."""
        best = self.metrics.best
        if isinstance(self.preset, ComparisonPreset) and best in self.preset.strategies:
            return self.preset.variant(best)
        if self.preset and self.preset.several:
            with suppress(BadPreset):
                return load(str(self.run.report / BEST))
        return self.preset

    @property
    def retrieval(self) -> RetrievalPreset | None:
        """The settings of a run whose model is measured by a search."""
        return self.settings if isinstance(self.settings, RetrievalPreset) else None

    @cached_property
    def model(self) -> KnownModel | None:
        """What is known of the untouched model."""
        return lookup(self.settings.model.id) if self.settings else None

    @cached_property
    def writes(self) -> bool:
        """Whether it tunes a language model."""
        kind = type(self.settings) if self.settings else tasks.catalogue().get(self.state.task, Preset)
        return issubclass(kind, LlmPreset)

    @property
    def verdict(self) -> str:
        """The verdict, "" while there is none."""
        return self.state.verdict

    @property
    def comparison(self) -> Comparison | None:
        """The primary measure before and after."""
        return self.numbers.comparison

    @cached_property
    def forgot(self) -> bool:
        """Whether the tuned model lost what it could before."""
        return bool(lost(self.numbers.general))

    @property
    def rows(self) -> int:
        """Training rows; 0 where that is not known."""
        return self.numbers.counts.get("train", 0)


def known_of(run: Run, state: RunState) -> Known:
    """What the directory of ``run`` tells; reads files, so not for the thread that draws."""
    preset: Preset | None
    try:
        preset = load(str(run.preset_file))
    except TunewizError:  # of a plug-in that is gone, or edited since
        preset = None
    if preset and state.task not in ("", preset.task):
        preset = None  # not the one that was run
    return Known(run, state, preset, MetricsFile.of(run.report))


def next_steps(known: Known) -> list[Message]:
    """At most :data:`MOST` pieces of advice, the most telling first; none while a run goes on."""
    return [step for rule in _RULES.get(known.state.status, ()) for step in rule(known)][:MOST]


def steps_of_report(run: Run, state: RunState, preset: Preset, metrics: MetricsFile) -> list[Message]:
    """The advice in a report, which is written as the last thing before the run counts as finished."""
    return next_steps(Known(run, replace(state, status="finished", verdict=metrics.verdict or "NONE"), preset, metrics))


# Of a run that did not come to its end: how to go on with it, or begin anew.


def _resume(known: Known) -> Message:
    return say(
        "Go on with it: `tunewiz run --resume {name}`, or r on the screen of its result. What is done stays done.",
        name=known.run.typed,
    )


def _clone(known: Known) -> Message:
    return say(
        "Other settings take a new run: `tunewiz run {preset} --set KEY=VALUE`, or c on the screen of its result.",
        preset=shlex.quote(str(known.run.preset_file)),
    )


def _stopped(known: Known) -> Iterator[Message]:
    yield _resume(known)
    yield _clone(known)


def _lost(known: Known) -> Iterator[Message]:
    yield say("Its process is gone without a word: killed, out of memory (RAM), or the machine restarted.")
    yield say("Look at the end of its log: {log}", log=known.run.log_file)
    yield _resume(known)


def _failed(known: Known) -> Iterator[Message]:
    """A run goes on with the settings that it had: where these are what is wrong, it would fail again."""
    yield say("Do what its error says.")
    if known.state.exit_code == ExitCode.OUT_OF_MEMORY:
        yield _clone(known)
        yield say("If other programs filled the memory, wait until they are gone. {resume}", resume=_resume(known))
    elif known.state.exit_code == ExitCode.BAD_PRESET:
        yield _clone(known)
    else:
        yield _resume(known)
        yield _clone(known)
    yield say("The log has the whole story at its end: {log}", log=known.run.log_file)


# Of a run that came to its end.


def _reranker_hurts(known: Known) -> Iterator[Message]:
    compared = known.numbers.reranking
    if not compared or compared.verdict != "REGRESSION":
        return
    yield from _false_negatives(known)
    reranks = "before" in known.numbers.systems or (known.model and "reranker" in known.model.family.tasks)
    if not reranks:
        yield say(
            "Start from a model that reranks already (a bge-reranker or an ms-marco cross-encoder): a fresh head needs "
            "thousands of queries."
        )


def _false_negatives(known: Known) -> Iterator[Message]:
    preset = known.retrieval
    if preset and preset.data.negatives.strategy in _MINED:
        margin = f"{preset.data.negatives.relative_margin:g}"
        if preset.data.negatives.skip_top < _SKIPPED:
            yield say(
                "Some mined negatives are probably right answers: raise data.negatives.relative_margin ({margin}) or "
                "set skip_top to {ranks}, and look at data/negatives.jsonl.",
                margin=margin,
                ranks=_SKIPPED,
            )
        else:
            yield say(
                "Some mined negatives are probably right answers: raise data.negatives.relative_margin ({margin}), and "
                "look at data/negatives.jsonl.",
                margin=margin,
            )


def _worse(known: Known) -> Iterator[Message]:
    if known.verdict != "REGRESSION":
        return
    settings = known.settings
    if settings:
        yield say(
            "It got worse: lower training.learning_rate to a third ({rate}), or train for {fewer}.",
            rate=f"{settings.training.learning_rate / 3:.1g}",
            fewer=say("fewer steps") if settings.training.max_steps > 0 else say("fewer epochs"),
        )
    else:
        yield say("It got worse: lower training.learning_rate to a third, or train for fewer epochs.")
    if not known.writes and (known.comparison is None or known.comparison.losses):
        yield say("Look at the queries that lost most: wrong or too broad positives in the data show there first.")
    compared = known.numbers.reranking
    if not compared or compared.verdict != "REGRESSION":  # said already
        yield from _false_negatives(known)


def _forgot(known: Known) -> Iterator[Message]:
    if known.settings and known.verdict != "REGRESSION" and known.forgot:
        yield say("It forgot some of what it could before. {remedy}", remedy=remedy(known.settings))


def _nothing_compared(known: Known) -> Iterator[Message]:
    if known.verdict != "NONE":
        return
    settings = known.settings
    in_report = known.numbers.before or known.numbers.after
    measured = in_report or any(key.startswith(("before:", "after:")) for key in known.state.measured)
    asked = isinstance(settings, (LlmPreset, RetrievalPreset)) and settings.evaluation.baseline
    if not measured:
        yield say("Nothing was held out to measure on: set data.evaluation.fraction above 0, or name evaluation data.")
    elif not asked:
        yield say("There was no baseline to compare with: set evaluation.baseline to true and run it again.")


def _uncertain(known: Known) -> Iterator[Message]:
    compared = known.comparison
    if compared and not compared.certain and (compared.wins or compared.losses):
        yield say(
            "The difference is not certain on {count} {of}: measure on more ({where}).",
            count=compared.queries,
            of=ROWS if known.writes else QUERIES,
            where=_more_to_measure_on(known, compared.queries),
        )
    elif compared and compared.queries < _FEW_QUERIES and not known.writes:
        yield say("{queries} queries are few to measure on; 200 make a steadier number.", queries=compared.queries)


def _more_to_measure_on(known: Known, measured: int) -> Message:
    """What gives more of it: a fraction is held out only where no evaluation data is named or comes with the data."""
    settings = known.settings
    if isinstance(settings, LlmPreset) and measured >= settings.evaluation.rows:
        return say("evaluation.rows")
    named = isinstance(settings, (LlmPreset, RetrievalPreset)) and settings.data.evaluation.data
    if named or known.numbers.corpus == "given":
        return say("larger evaluation data")
    return say("data.evaluation.fraction, or evaluation data of its own")


def _is_easy(known: Known) -> bool:
    compared = known.comparison
    return compared is not None and not known.writes and compared.before >= _EASY


def _easy(known: Known) -> Iterator[Message]:
    compared = known.comparison
    if compared and _is_easy(known):
        yield say(
            "{metric} was {before} before training: this collection is too easy to show a gain. Add documents that no "
            "query asks for, or harder queries.",
            metric=compared.metric,
            before=f"{compared.before:.3f}",
        )
    elif known.numbers.corpus == "built":
        yield say("The search was over passages of the data only. Name a real corpus (data.evaluation.corpus).")


def _wrong_above_right(known: Known) -> Iterator[Message]:
    cosines = known.numbers.cosines.get("after") or {}
    right, wrong = (cosines[kind].mean if kind in cosines else None for kind in ("positive", "hard"))
    if right is not None and wrong is not None and wrong > right:
        yield say("Wrong passages score above right ones on average: the data may lack judgments, or need cleaning.")


def _use_it(known: Known) -> Iterator[Message]:
    if known.verdict != "WIN":
        return
    preset = known.retrieval
    if known.writes:
        yield say("Talk with it: tunewiz try {name}", name=known.run.typed)
    elif preset and preset.method.type == "lora" and not preset.export.merge:
        yield say("Use it: the folder model/adapter of the run goes onto the untouched model, as its README shows.")
    elif isinstance(preset, EmbeddingPreset):
        yield say("Use it: the folder model of the run loads by path, its prompts are saved with it.")
    else:  # also where the preset cannot be read any more
        yield say("Use it: the folder model of the run loads by path, as its README shows.")


def _no_label(known: Known) -> Iterator[Message]:
    if known.writes and (known.numbers.after or {}).get("invalid", 0.0) > 0.05:
        yield say("Some answers are no label: train longer, or name the labels in data.prompt.")


def _negatives(known: Known) -> Iterator[Message]:
    preset = known.retrieval
    if not isinstance(preset, EmbeddingPreset) or known.verdict == "NONE":
        return
    if "triplets" in preset.loss.core.rows and preset.data.negatives.strategy in ("none", "random"):
        yield say("Mine hard negatives (data.negatives.strategy: dense, or bm25): wrong answers that look right.")


def _still_falls(known: Known) -> bool:
    """Whether the training loss was still going down at the end, and the loss on unseen data (if known) not up."""
    loss, unseen = known.state.curves.get("loss"), known.state.curves.get("eval_loss")
    if loss is None or len(loss.values) < _POINTS:
        return False
    if unseen and unseen.values[-1] > _UNSEEN_RISES * min(unseen.values):
        return False
    line = smooth(loss.values)
    return line[-1] < _FALLING * line[-len(line) // 4]


def _still_learning(known: Known) -> Iterator[Message]:
    settings = known.settings
    if settings is None or known.verdict == "REGRESSION" or known.forgot or not _still_falls(known):
        return
    if settings.training.max_steps > 0:
        steps = 2 * settings.training.max_steps
        yield say("The loss was still falling at the end: train longer ({steps} steps).", steps=steps)
    else:
        epochs = f"{2 * settings.training.epochs:g}"
        yield say("The loss was still falling at the end: train longer ({epochs} epochs).", epochs=epochs)


def _hardly_changed(known: Known) -> Iterator[Message]:
    if known.verdict not in ("MARGINAL", "UNPROVEN") or _is_easy(known):
        return
    if not _still_falls(known):
        yield from _gentler(known)
    if not _still_falls(known) and not known.forgot:
        yield say("Try a higher learning rate or more epochs while the loss on held-out rows still falls.")
    if not known.writes and known.rows >= _FEW_ROWS:
        yield say("If the base model is good already on your queries, more data brings more than more training.")


#: What a model is hardly ever hurt by, in the order of the libraries' own recipes: every weight, and adapters.
_GENTLE: Final[Mapping[bool, float]] = {True: 2e-5, False: 1e-4}


def _gentler(known: Known) -> Iterator[Message]:
    """Fewer epochs at a lower rate, where there were more: a model that is good already is soon trained too much."""
    settings = known.settings
    if not isinstance(settings, (LlmPreset, RetrievalPreset)) or settings.training.max_steps > 0:
        return
    training, rate = settings.training, _GENTLE[settings.method.type in ("full", "freeze")]
    wanted = {"training.epochs": (training.epochs, 1.0), "training.learning_rate": (training.learning_rate, rate)}
    less = [f"{key} {most:g}" for key, (now, most) in wanted.items() if now > most]
    if less:
        yield say("Try it gentler ({settings}): a model that is good already is soon trained too much.",
                  settings=tuple(less))  # fmt: skip


def _other_way(known: Known) -> Iterator[Message]:
    """Search by words where it finds more than the tuned model, alone or beside it."""
    numbers, metric = known.numbers, known.numbers.primary
    way, ways = numbers.best_way, numbers.ways
    if way not in ("bm25", "fusion") or way not in ways or not isinstance(known.retrieval, EmbeddingPreset):
        return
    values = {name: f"{ways[name].get(metric, 0.0):.4f}" for name in (way, "dense") if name in ways}
    told = {"metric": metric, "better": values[way], "model": values.get("dense", "?")}
    if way == "bm25":
        yield say("Search by shared words (BM25) finds more here than the tuned model ({metric} {better} against "
                  "{model}): `tunewiz try` and --to service search so.", **told)  # fmt: skip
    else:
        yield say("The tuned model and BM25 together, ranks fused, find more than the model alone ({metric} {better} "
                  "against {model}): `tunewiz try` and --to service search so.", **told)  # fmt: skip


def _few_rows(known: Known) -> Iterator[Message]:
    if not 0 < known.rows < _FEW_ROWS:
        return
    if known.writes:
        yield say("Few rows: a thousand varied, checked rows usually bring more than any setting.")
    else:
        yield say(
            "{rows} training rows are few: real questions of users help most, also for known answers.", rows=known.rows
        )


def _full_to_lora(known: Known) -> Iterator[Message]:
    settings = known.settings
    trains_all = isinstance(settings, (LlmPreset, RetrievalPreset)) and settings.method.type == "full"
    if trains_all and known.verdict == "REGRESSION":
        yield say("LoRA changes less of the model and forgets less (method.type: lora).")


def _lora_to_full(known: Known) -> Iterator[Message]:
    preset, small = known.retrieval, known.model is not None and known.model.size.parameters < _SMALL
    if preset and preset.method.type == "lora" and small and known.verdict in ("MARGINAL", "UNPROVEN", "NONE"):
        yield say("A model this small usually learns more with all weights trained (method.type: full).")


def _second_stage(known: Known) -> Iterator[Message]:
    if not isinstance(known.retrieval, EmbeddingPreset) or known.verdict == "REGRESSION":
        return
    after = known.numbers.after or {}
    cutoffs = [(name, name.removeprefix("recall@")) for name in after if name.startswith("recall@")]
    recalls = {int(cut): after[name] for name, cut in cutoffs if cut.isdecimal()}
    if recalls and recalls[max(recalls)] - recalls[min(recalls)] > 0.25:
        yield say(
            "The right answer is often among the first {k} and not first: a reranker over those {k} is the next step.",
            k=max(recalls),
        )


def _larger_model(known: Known) -> Iterator[Message]:
    if known.retrieval is None or known.model is None or known.verdict == "NONE":
        return
    larger = [size for size in known.model.family.models if size.parameters > known.model.size.parameters]
    if larger:
        smallest = min(larger, key=lambda size: size.parameters)
        yield say("Try a larger model of the family: {model}.", model=smallest.id)


Rule = Callable[[Known], Iterator[Message]]
_FINISHED: Final[tuple[Rule, ...]] = (
    _reranker_hurts,
    _worse,
    _forgot,
    _nothing_compared,
    _other_way,
    _uncertain,
    _easy,
    _wrong_above_right,
    _use_it,
    _no_label,
    _negatives,
    _still_learning,
    _hardly_changed,
    _few_rows,
    _full_to_lora,
    _lora_to_full,
    _second_stage,
    _larger_model,
)
_RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "finished": _FINISHED, "stopped": (_stopped,), "failed": (_failed,), "lost": (_lost,),
}  # fmt: skip
