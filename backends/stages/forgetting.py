"""Measures of what a run does not train for, before and after, beside those of its own data: did the model forget?

They cost seconds to a minute, and are told as a warning where something was lost. Whatever goes wrong here is told and
ends nothing: a run is about its own data.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from tunewiz.backends.evaluate.general import AFTER, BEFORE, LOSS, SEARCHED, compared_general, forgotten
from tunewiz.backends.evaluate.records import BM25, Measured
from tunewiz.backends.runs.run import Run, StopRequested
from tunewiz.data.general import LANGUAGES, collection_beside, general_collection, general_rows
from tunewiz.data.retrieval.prepared import load
from tunewiz.data.rows.examples import Collection, all_texts, query_of
from tunewiz.data.text.language import language_of
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.presets.sections.data import Candidates
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.problems import TunewizError, note, say

if TYPE_CHECKING:
    from tunewiz.backends.evaluate import Measurement
    from tunewiz.backends.language_models.loaded_model import Loaded
    from tunewiz.backends.models.encoding import SearchEncoder
    from tunewiz.backends.models.reranking import PairScorer

When = Literal["before", "after"]

#: Candidates that a reranker puts in order for each question: 480 pairs in all.
_DEPTH: Final = 10
#: Prompts that are answered too, one of each kind: a sum, politeness, a fact, a translation; and tokens of an answer.
_ANSWERED: Final = ("en-1", "en-10", "zh-5", "zh-17")
_LONGEST: Final = 32
#: Tokens of a row; the longest of ours has about a hundred, and training may read fewer.
_READ: Final = 512


def search_beside(run: Run, preset: RetrievalPreset, encoder: SearchEncoder, when: When) -> None:
    """Search a collection of ours that the run does not train on with the model in ``encoder``."""
    from tunewiz.backends.evaluate import MetricOptions
    from tunewiz.backends.evaluate.full_search import Retrieval
    from tunewiz.backends.models.batching import no_progress

    def measure(file: Path) -> None:
        name = _collection(run, when)
        if name:
            quiet = replace(encoder, cache=None, progress=no_progress)
            measured = Retrieval().measure(quiet, general_collection(name), MetricOptions((10,)))
            _write(file, name, measured)

    _measured(run, preset, when, measure)


def rank_beside(run: Run, preset: RetrievalPreset, scorer: PairScorer, when: When) -> None:
    """Put what BM25 finds in such a collection in order with the reranker in ``scorer``."""
    from tunewiz.backends.evaluate import Measurement, MetricOptions, two_stage
    from tunewiz.backends.evaluate.measuring import MeasureOptions

    def measure(file: Path) -> None:
        name = _collection(run, when)
        if name:
            collection, wanted = general_collection(name), MetricOptions((10,))
            search = Candidates(strategy=BM25, depth=_DEPTH)
            found = two_stage.search_candidates(search, collection, wanted.seed, MeasureOptions()).rankings
            ranked = two_stage.rerank_candidates(scorer.quietly(), found, collection)
            per_query, means = two_stage.measure_rankings(ranked, collection, wanted)
            _write(file, name, Measurement(means, per_query, facts=_sizes(collection)))

    _measured(run, preset, when, measure)


def prompts_beside(run: Run, preset: LlmPreset, loaded: Loaded, when: When) -> None:
    """The loss of general prompts with good answers, and what the model in ``loaded`` answers to a few of them."""
    from tunewiz.backends.language_models.encoded_rows import encode_row, row_prompt
    from tunewiz.backends.language_models.measures import HeldOutMeasures, greedy_answers, row_losses, shown

    options = preset.evaluation

    def tell(_done: int, _total: int) -> None:
        run.check_stop()

    def measure(file: Path) -> None:
        data = copy.copy(loaded.data)
        data.cutoff_len, data.train_on_prompt = _READ, False
        own, rows, found = replace(loaded, data=data), general_rows(), HeldOutMeasures()
        tokens = [encode_row(own, row)["answer"] for row in rows.values()]
        losses = dict(zip(rows, row_losses(own, tokens, options.batch_size, tell), strict=True))
        found.add(losses, LOSS)
        for language in LANGUAGES:
            found.add({name: loss for name, loss in losses.items() if name.startswith(language)}, f"{LOSS}_{language}")
        if options.answers:
            some = {name: rows[name] for name in _ANSWERED}
            prompts = [row_prompt(own, row) for row in some.values()]
            found.details["answers"] = shown(some, greedy_answers(own, prompts, _LONGEST, options.batch_size, tell))
        found.save(file)

    _measured(run, preset, when, measure)


def _measured(run: Run, preset: RetrievalPreset | LlmPreset, when: When, measure: Callable[[Path], None]) -> None:
    """Let ``measure`` write its record, and after training tell what was lost; only a wish to stop goes through."""
    before, after = run.report / BEFORE, run.report / AFTER
    # Without a first measure there is nothing to compare with: no baseline, a fresh head, a run begun without the key.
    if not preset.evaluation.general or (when == "after" and not before.is_file()):
        return
    try:
        run.report.mkdir(parents=True, exist_ok=True)
        measure(before if when == "before" else after)
        compared = compared_general(run.report, preset.evaluation.bootstrap, preset.training.seed)
    except StopRequested:
        raise
    except Exception as fault:  # noqa: BLE001  models and libraries fail in any way; the run's own data has been measured
        reason = fault.problems[0].message if isinstance(fault, TunewizError) else f"{type(fault).__name__}: {fault}"
        message = say("Whether the model forgets is not known: measuring general data failed. {reason}", reason=reason)
        run.notice(note("general-not-measured", message))
        return
    told = Measured.read(after)
    problem = forgotten(preset, compared, told.collection if told else "") if when == "after" else None
    if problem:
        run.notice(problem)


def _collection(run: Run, when: When) -> str:
    """The name of the collection: afterwards the same as before."""
    known = Measured.read(run.report / BEFORE) if when == "after" else None
    if known:
        return known.collection
    rows = load(run.data).train
    name = collection_beside((text for row in rows for text in all_texts(row)), language_of(map(query_of, rows)))
    if not name:
        message = say("Both general collections are part of the training data: whether it forgets is not measured.")
        run.notice(note("general-trained-on", message))
    return name


def _sizes(collection: Collection) -> dict[str, int]:
    return {"queries": len(collection.qrels), "documents": len(collection.corpus)}


def _write(file: Path, name: str, measured: Measurement) -> None:
    record = Measured(
        metrics={metric: measured.metrics[metric] for metric in SEARCHED},
        seconds=measured.seconds,
        queries=int(measured.facts["queries"]),
        documents=int(measured.facts["documents"]),
        collection=name,
        per_query={query: {metric: told[metric] for metric in SEARCHED} for query, told in measured.per_query.items()},
    )
    record.write(file)
