"""Runs side by side: their measures, where their presets differ, and two of them query by query."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunewiz.backends.evaluate.records import Measured, Metrics
from tunewiz.backends.evaluate.verdict import LOWER_IS_BETTER, Comparison, compare_all
from tunewiz.backends.models.run_models import VARIANTS
from tunewiz.backends.reports.metrics_file import MetricsFile
from tunewiz.backends.runs.find import all_runs
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.state import RunState
from tunewiz.files import parse_json, read_bytes, sha256
from tunewiz.presets.yaml.tree import read_tree
from tunewiz.printable import printable_name
from tunewiz.problems import Message, say

LEFT_OUT = frozenset({"name", "description"})  # keys in which runs always differ and which change nothing


@dataclass(frozen=True)
class Row:
    """One name and what each run has for it, in the order of the runs; "" where a run has nothing."""

    name: str
    values: tuple[str, ...]


def measures(states: Sequence[RunState]) -> tuple[Row, ...]:
    """The measures after training of each run, metric by metric, before → after where both are known."""
    names = dict.fromkeys(name for state in states for key in _after(state) for name in state.measured[key])
    return tuple(Row(name, tuple(_gain(state, name) for state in states)) for name in names)


def differences(runs: Sequence[Run]) -> tuple[Row, ...]:
    """The keys of the presets, as run, whose values are not the same in all ``runs``.

    What only one task has is no difference between runs of several: such a key counts among the runs of its tasks.
    """
    presets = [flat_keys(run.preset_file) for run in runs]
    keys = dict.fromkeys(key for preset in presets for key in preset if key not in LEFT_OUT)
    return tuple(Row(key, tuple(preset.get(key, "") for preset in presets)) for key in keys if _differs(key, presets))


def _differs(key: str, presets: Sequence[Mapping[str, str]]) -> bool:
    tasks = {preset.get("task") for preset in presets if key in preset}
    return len({preset.get(key, "") for preset in presets if preset.get("task") in tasks}) > 1


def flat_keys(preset_file: Path) -> dict[str, str]:
    """The keys of a preset's file, dotted, with their values as text; empty when it cannot be read."""
    tree = read_tree(preset_file)
    return dict(_leaves(tree.value, "")) if tree and isinstance(tree.value, dict) else {}


def _leaves(tree: Mapping[Any, Any], above: str) -> list[tuple[str, str]]:
    found = []
    for key, value in tree.items():
        name = f"{above}{key}"
        if isinstance(value, dict) and value:
            found += _leaves(value, f"{name}.")
        else:
            found.append((name, _told(value)))
    return found


def _told(value: Any) -> str:
    """A value as a preset has it; "" for what is not set."""
    if value is None or value == {}:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def rival(run: Run) -> Run | None:
    """The last run before ``run`` in its folder that is of the same task and was measured; what it is compared with."""
    earlier = []
    for other in all_runs(run.directory.parent):
        if other.directory == run.directory:
            break
        earlier.append(other)
    task = flat_keys(run.preset_file).get("task")
    measured = (other for other in reversed(earlier) if (other.report / "after.json").is_file())
    return next((other for other in measured if flat_keys(other.preset_file).get("task") == task), None)


def _after(state: RunState) -> list[str]:
    return [key for key in state.measured if key.startswith("after:")]


def _gain(state: RunState, name: str) -> str:
    for key in _after(state):
        after = state.measured[key].get(name)
        before = state.measured.get(f"before:{key.partition(':')[2]}", {}).get(name)
        if after is not None:
            return f"{before:.4f} → {after:.4f}" if before is not None else f"{after:.4f}"
    return ""


# Two runs query by query: what one finds and the other does not, where both were measured on the same queries.


@dataclass(frozen=True)
class Pairing:
    """``other`` against ``first``, each as tuned; ``why_not`` says why they cannot be paired.

    In ``comparisons``, by metric, "before" is ``first`` and "after" is ``other``.
    """

    first: str
    other: str
    comparisons: Mapping[str, Comparison]
    why_not: Message | None = None


def laid_beside(run: Run) -> list[Run]:
    """The measured runs inside ``run``, a sweep's or a comparison's, in their order; none where it is one run."""
    inner = [Run(folder) for folder in sorted((run.directory / VARIANTS).glob("*/")) if folder.is_dir()]
    order = list(MetricsFile.of(run.report).points or MetricsFile.of(run.report).variants)
    inner.sort(key=lambda one: order.index(one.name) if one.name in order else len(order))
    return [one for one in inner if (one.report / "after.json").is_file()]


def pairings(runs: Sequence[Run]) -> tuple[Pairing, ...]:
    """Every other run against the first one."""
    return tuple(pairing(runs[0], other) for other in runs[1:])


def pairing(first: Run, other: Run) -> Pairing:
    """The two runs on the queries that both measured: same text, same judgments, same documents.

    Of language models on the rows that both measured.
    """
    measured = [_measured(run) for run in (first, other)]
    if not all(measured):
        return Pairing(first.name, other.name, {}, say("Not both of them were measured query by query."))
    try:
        alike = _alike(*(run.data / "corpus.jsonl" for run in (first, other)))
        asked = [_questions(run) for run in (first, other)]
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as fault:
        why = say("The data of one of them is damaged: {fault}", fault=str(fault) or type(fault).__name__)
        return Pairing(first.name, other.name, {}, why)
    if not alike:
        return Pairing(first.name, other.name, {}, say("They searched in different documents."))
    shared = [key for key in asked[0] if asked[0][key] == asked[1].get(key)]
    both = [key for key in shared if key in measured[0] and key in measured[1]]
    one, two = ({key: per_query[key] for key in both} for per_query in measured)
    metrics = [name for name in next(iter(one.values()), {}) if name in next(iter(two.values()), {})]
    if not metrics:
        return Pairing(first.name, other.name, {}, say("They have no query in common."))
    return Pairing(first.name, other.name, compare_all(one, two, metrics, lower=LOWER_IS_BETTER))


def _questions(run: Run) -> dict[str, tuple[str, tuple[tuple[str, str], ...]]]:
    """By the id of a query its text and its judgments."""
    judged: dict[str, list[tuple[str, str]]] = {}
    for line in _lines(run.data / "qrels.tsv")[1:]:
        query, document, grade = line.split("\t")
        judged.setdefault(query, []).append((document, grade))
    rows = _lines(run.data / "evaluation.jsonl")
    if rows:  # of a language model: its rows are named by their place
        return {str(place): (row, ()) for place, row in enumerate(rows)}
    records = map(parse_json, _lines(run.data / "queries.jsonl"))
    return {one["_id"]: (one["text"], tuple(sorted(judged.get(one["_id"], ())))) for one in records}


def _lines(path: Path) -> list[str]:
    return read_bytes(path).decode("utf-8").splitlines() if path.is_file() else []


def _alike(*files: Path) -> bool:
    """Whether both are the same, or there is neither."""
    sizes = {file.stat().st_size if file.is_file() else None for file in files}
    return len(sizes) == 1 and (sizes == {None} or len({sha256(file) for file in files}) == 1)


def _measured(run: Run) -> Mapping[str, Metrics]:
    """By the id of a query its measures; whatever is no finite number is left out."""
    record = Measured.read(run.report / "after.json")
    return {
        key: {printable_name(name): value for name, value in row.items() if math.isfinite(value)}
        for key, row in (record.per_query.items() if record else ())
    }
