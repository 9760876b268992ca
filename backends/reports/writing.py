"""Writes ``report.md``, ``report.html``, ``metrics.json`` and the pictures of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backends.reports import two_stage
from backends.reports.contents import contents
from backends.reports.facts import Facts, file_of, gather
from backends.reports.next_steps import Known, next_steps
from backends.reports.pages import write_pages
from backends.reports.pictures import cosines_picture, loss_picture, metrics_picture
from backends.reports.queries import changes
from backends.runs.follow import read_state
from backends.runs.run import Run
from backends.runs.state import RunState
from data.examples import Collection
from data.files import read_json
from data.prepared import CorpusKind, load
from data.problems import BadData, Message
from presets.families import instructions
from presets.retrieval import RetrievalPreset


def write_report(run: Run, preset: RetrievalPreset) -> str:
    """Write everything into ``run.report``; the verdict. May be called again at any time, in another language too."""
    facts, state = gather(run, preset), read_state(run)
    run.report.mkdir(parents=True, exist_ok=True)
    collection, corpus = _collection(run)
    steps = next_steps(Known(facts, state, corpus))
    blocks = contents(facts, state, changes(facts, collection), steps, _pictures(facts, state), _prompts(run, preset))
    write_pages(run.report, blocks, _metrics(facts, steps))
    return facts.verdict


def _collection(run: Run) -> tuple[Collection, CorpusKind]:
    try:
        prepared = load(run.data)
    except BadData:  # a run whose data was deleted to save disk: the numbers are still there
        return Collection(), "none"
    return prepared.evaluation, prepared.corpus


def _prompts(run: Run, preset: RetrievalPreset) -> tuple[str, str]:
    """The texts before queries and passages, as the exported model has them."""
    saved = read_json(run.model / "config_sentence_transformers.json")
    if isinstance(saved, dict) and isinstance(saved.get("prompts"), dict):
        return str(saved["prompts"].get("query") or ""), str(saved["prompts"].get("document") or "")
    return instructions(preset.model)


def _pictures(facts: Facts, state: RunState) -> dict[str, Path]:
    folder = facts.run.report
    drawn = {
        "metrics": metrics_picture(facts, folder / "metrics.png"),
        "cosines": cosines_picture(facts, folder / "cosines.png"),
        "loss": loss_picture(state.curves, facts.primary, folder / "loss.png"),
    }
    return {name: path for name, path in drawn.items() if path is not None}


def _metrics(facts: Facts, steps: list[Message]) -> dict[str, Any]:
    """All numbers for programs; keys are never translated."""
    sides: dict[str, Mapping[str, Any] | None] = {"before": facts.before, "after": facts.after}
    if facts.systems:
        sides = {**facts.systems}
    compared = two_stage.reranking(facts)
    return facts.numbers() | {
        "compared_with": facts.before_name,
        "systems": {name: two_stage.told(record) for name, record in facts.systems.items()},
        "reranking": compared.record() if compared else None,
        "cosines": {name: record.get("cosines") for name, record in sides.items() if record},
        "seconds": {name: record.get("seconds") for name, record in sides.items() if record},
        "documents": (facts.after or facts.before or {}).get("documents"),
        "per_query": {name: f"{file_of(name)}.json" for name, record in sides.items() if record},
        "rankings": {name: f"{file_of(name)}.run.tsv" for name, record in sides.items() if record},
        "next": [step.text() for step in steps],
    }
