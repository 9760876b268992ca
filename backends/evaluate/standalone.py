"""Any model on any test collection, in a process of its own, asked on stdin.

It is ``python -m tunewiz.backends.evaluate.standalone``. The question is a JSON object with ``model`` (a folder or a
hub id), ``preset`` (the file of a run's, or empty), ``run`` (the run whose tuned model is meant, or empty), ``data``,
``split`` and ``k``. One JSON object comes out: what was measured, or ``problems`` with the ``exit_code`` that goes with
them. What libraries print goes to stderr, progress too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewiz.backends.evaluate.measuring import MeasureOptions, measure_with, nothing_to_measure
from tunewiz.backends.models.loading import at_times
from tunewiz.backends.models.run_models import ranking, searching, tuned_encoder, tuned_folder
from tunewiz.backends.runs.explain import explain
from tunewiz.backends.runs.run import Run
from tunewiz.data.opening import opened
from tunewiz.data.reading.source import Dataset
from tunewiz.data.retrieval.built_corpus import collection_from_groups, collection_from_pairs
from tunewiz.data.rows.examples import Collection, Group, ScoredPair
from tunewiz.errand import child_environment, collect_rarely
from tunewiz.presets.sections.training import Launch
from tunewiz.presets.tasks.embedding import EmbeddingPreset
from tunewiz.presets.tasks.reranker import RerankerPreset
from tunewiz.presets.yaml.library import load
from tunewiz.problems import BadPreset, Problem, error, say

if TYPE_CHECKING:
    from tunewiz.backends.evaluate import Measurement, MetricOptions
    from tunewiz.backends.models.encoding import SearchEncoder


def ask(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What :func:`main` answers in a child process; its progress and what libraries print go to our stderr."""
    done = subprocess.run(
        [sys.executable, "-m", __name__],
        input=json.dumps(wanted).encode(),
        stdout=subprocess.PIPE,
        env=child_environment(),
        check=False,
    )
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        message = say("The measuring process ended with status {status}.", status=done.returncode)
        answer = {"problems": [error("measuring-ended", message).as_json()], "exit_code": 1}
    return answer


def evaluate(wanted: Mapping[str, Any], progress: Callable[[int, int], None]) -> dict[str, Any]:
    """The record with ``model metrics queries documents seconds notes``; ``told`` is told of texts done and in all."""
    notes: list[Problem] = []
    collection = _collection(str(wanted["data"]), str(wanted.get("split") or "auto"), notes)
    searcher, reranker = _parts(wanted)
    from tunewiz.backends.evaluate import MetricOptions

    options = MetricOptions(tuple(wanted["k"]), ("ndcg@10",))
    if wanted.get("store"):
        return _in_store(wanted, searcher, bool(reranker), collection, options, at_times(progress), notes)
    measured = (
        _in_two_stages(*reranker, collection, options, at_times(progress))
        if reranker
        else measure_with(lambda: _encoder(wanted, searcher, at_times(progress)), collection, options)
    )
    record = measured.record().as_json()
    record.pop("cosines", None)
    notes_told = [problem.as_json() for problem in notes if problem.severity != "note"]
    return {"model": str(wanted.get("run") or wanted["model"]), **record, "notes": notes_told}


def _in_store(
    wanted: Mapping[str, Any],
    searcher: tuple[Run, EmbeddingPreset] | None,
    ranks: bool,
    collection: Collection,
    options: MetricOptions,
    progress: Callable[[int, int], None],
    notes: list[Problem],
) -> dict[str, Any]:
    """The record of a search in a store; ``exact`` and ``found`` tell what that misses."""
    from tunewiz.backends.evaluate.full_search import judged_queries
    from tunewiz.backends.export.stored_search import measure_stored, store_called

    if ranks:
        message = say("A reranker searches in no store: --store goes with embedding models.")
        raise BadPreset(error("store-of-reranker", message))
    store = store_called(str(wanted["store"]))
    if not judged_queries(collection):
        raise nothing_to_measure()
    measured = measure_stored(store, _encoder(wanted, searcher, progress), collection, options)
    told = [problem.as_json() for problem in notes if problem.severity != "note"]
    return {"model": str(wanted.get("run") or wanted["model"]), **measured, "notes": told}


def _collection(place: str, split: str, notes: list[Problem]) -> Collection:
    """The queries and documents in ``place``: a BEIR folder, or rows whose passages become the documents."""
    found = opened.open_dataset(Dataset(place), notes.append)
    if not found.is_collection:
        rows = [*opened.read_examples(found, notes.append)]
        groups = [row for row in rows if isinstance(row, Group)]
        return (
            collection_from_groups(groups, ())
            if groups
            else collection_from_pairs([r for r in rows if isinstance(r, ScoredPair)], ())
        )
    return opened.read_collection(found, opened.measured_split(found, split) or split, notes.append)


def _parts(
    wanted: Mapping[str, Any],
) -> tuple[tuple[Run, EmbeddingPreset] | None, tuple[Run, RerankerPreset] | None]:
    """What is measured of a run: its embedding model alone, or a reranker over the search that it was tuned on."""
    if not wanted.get("preset"):
        return None, None
    run, preset = Run(Path(str(wanted["run"]))), load(str(wanted["preset"]))
    found = ranking(run, preset)
    if found is not None:
        return None, found
    part = searching(run, preset)
    if part is None:
        message = say("Only models of a search are measured here; this is a run of the task {task}.", task=preset.task)
        raise BadPreset(error("task-not-measured", message, fix=say("Its own report has the numbers of its task.")))
    return part, None


def _encoder(
    wanted: Mapping[str, Any], part: tuple[Run, EmbeddingPreset] | None, progress: Callable[[int, int], None]
) -> SearchEncoder:
    """The run's tuned model as its preset wants it, or a model by its name, with its family's instructions."""
    from tunewiz.backends.evaluate.two_stage import embedder
    from tunewiz.backends.models.batching import EncodeOptions
    from tunewiz.backends.models.encoding import SearchEncoder
    from tunewiz.backends.models.loading import device_of

    device = device_of(part[1].launch if part else Launch())
    if part is None:
        return embedder(str(wanted["model"]), MeasureOptions(device=device, progress=progress))
    run, preset = part
    model = tuned_encoder(run, preset, device)
    return SearchEncoder(model, EncodeOptions(most=preset.evaluation.batch_size), progress=progress)


def _in_two_stages(
    run: Run,
    preset: RerankerPreset,
    collection: Collection,
    options: MetricOptions,
    progress: Callable[[int, int], None],
) -> Measurement:
    """The tuned reranker over the candidates of the search that its run was measured with."""
    from tunewiz.backends.evaluate.two_stage import TwoStage, search_candidates
    from tunewiz.backends.models.batching import EncodeOptions
    from tunewiz.backends.models.loading import device_of, load_reranker
    from tunewiz.backends.models.reranking import ready_to_score

    def texts(done: int, total: int) -> None:
        if total > 1:  # single queries, which are timed, are nothing to wait for
            progress(done, total)

    how = MeasureOptions(device_of(preset.launch), preset.evaluation.batch_size, progress=texts)
    found = search_candidates(preset.candidates, collection, preset.training.seed, how)
    if not found.rankings:
        raise nothing_to_measure()
    model = load_reranker(tuned_folder(run), preset, how.device)
    evaluator = TwoStage(found.rankings, preset.candidates.share())
    with ready_to_score(model, EncodeOptions(most=how.batch_size), progress, how.check_stop) as scorer:
        return evaluator.measure(scorer, collection, options)


def main() -> None:
    """Answer one question."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    narration = os.fdopen(os.dup(2), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # libraries write bars and tables there; what we tell goes to the copies
        os.dup2(nowhere, stream)

    def tell(done: int, total: int) -> None:
        narration.write(f"\r{done}/{total}" + ("\n" if done >= total else ""))
        narration.flush()

    try:
        answer = evaluate(json.load(sys.stdin), tell)
    except Exception as fault:  # noqa: BLE001  the outer edge of the child: every end is told
        explained = explain(fault)
        answer = {"problems": [one.as_json() for one in explained.problems], "exit_code": int(explained.exit_code)}
    json.dump(answer, out, ensure_ascii=False)
    out.close()


if __name__ == "__main__":
    collect_rarely()
    main()
