"""Any model on any test collection, in a process of its own: ``python -m backends.evaluating``, asked on stdin.

The question is a JSON object with ``model`` (a folder or a hub id), ``preset`` (the file of a run's, or empty), ``run``
(the run whose tuned model is meant, or empty), ``data``, ``split`` and ``k``. One JSON object comes out: what was
measured, or ``problems`` with the ``exit_code`` that goes with them. What libraries print goes to stderr, progress too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends.children import environment
from backends.measuring import Manner, at_times, measure_with
from backends.runs.explain import explain
from backends.runs.run import Run
from backends.tuned import tuned_encoder
from data import opening
from data.built_corpus import from_groups, from_pairs
from data.dataset import Dataset
from data.examples import Collection, Group, ScoredPair
from data.problems import BadPreset, Problem, error, say
from presets.library import load
from presets.sections.launch import Launch
from presets.tasks.embedding import EmbeddingPreset

if TYPE_CHECKING:
    from backends.encoder import SearchEncoder


def ask(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What :func:`main` answers in a child process; its progress and what libraries print go to our stderr."""
    done = subprocess.run(
        [sys.executable, "-m", __name__],
        input=json.dumps(wanted).encode(),
        stdout=subprocess.PIPE,
        env=environment(),
        check=False,
    )
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        told = say("The measuring process ended with status {status}.", status=done.returncode)
        answer = {"problems": [error("measuring-ended", told).as_json()], "exit_code": 1}
    return answer


def evaluate(wanted: Mapping[str, Any], told: Callable[[int, int], None]) -> dict[str, Any]:
    """The record with ``model metrics queries documents seconds notes``; ``told`` is told of texts done and in all."""
    notes: list[Problem] = []
    collection = _collection(str(wanted["data"]), str(wanted.get("split") or "auto"), notes)
    preset = _preset(wanted)
    from backends.evaluators.base import Wanted

    options = Wanted(tuple(wanted["k"]), ("ndcg@10",))
    measured = measure_with(lambda: _encoder(wanted, preset, at_times(told)), collection, options)
    record = measured.record()
    record.pop("cosines", None)
    notes_told = [problem.as_json() for problem in notes if problem.severity != "note"]
    return {"model": str(wanted.get("run") or wanted["model"]), **record, "notes": notes_told}


def _collection(place: str, split: str, notes: list[Problem]) -> Collection:
    """The queries and documents in ``place``: a BEIR folder, or rows whose passages become the documents."""
    found = opening.opened(Dataset(place), notes.append)
    if not found.is_collection:
        rows = [*opening.examples(found, notes.append)]
        groups = [row for row in rows if isinstance(row, Group)]
        return from_groups(groups, ()) if groups else from_pairs([r for r in rows if isinstance(r, ScoredPair)], ())
    return opening.collection(found, opening.measured_split(found, split) or split, notes.append)


def _preset(wanted: Mapping[str, Any]) -> EmbeddingPreset | None:
    preset = load(str(wanted["preset"])) if wanted.get("preset") else None
    if preset is not None and not isinstance(preset, EmbeddingPreset):
        told = say("Only embedding models are measured here; this is a run of the task {task}.", task=preset.task)
        raise BadPreset(error("task-not-measured", told, fix=say("Its own report has the numbers of its task.")))
    return preset


def _encoder(
    wanted: Mapping[str, Any], preset: EmbeddingPreset | None, told: Callable[[int, int], None]
) -> SearchEncoder:
    """The run's tuned model as its preset wants it, or a model by its name, with its family's instructions."""
    from backends.batching import Computing
    from backends.candidates import embedder
    from backends.encoder import SearchEncoder
    from backends.loading import device_of

    device = device_of(preset.launch if preset else Launch())
    if preset is None:
        return embedder(str(wanted["model"]), Manner(device=device, told=told))
    model = tuned_encoder(Run(Path(str(wanted["run"]))), preset, device)
    return SearchEncoder(model, Computing(most=preset.evaluation.batch_size), told=told)


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
    main()
