"""Two runs query by query: what one finds and the other does not, where both were measured on the same queries."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.runs.run import Run
from backends.verdict import Comparison, compare_all
from data.files import read_json, sha256
from data.problems import Message, say


@dataclass(frozen=True)
class Pairing:
    """``other`` against ``first``, each as tuned; ``why_not`` says why they cannot be paired.

    In ``comparisons``, by metric, "before" is ``first`` and "after" is ``other``.
    """

    first: str
    other: str
    comparisons: Mapping[str, Comparison]
    why_not: Message | None = None


def pairings(runs: Sequence[Run]) -> tuple[Pairing, ...]:
    """Every other run against the first one."""
    return tuple(pairing(runs[0], other) for other in runs[1:])


def pairing(first: Run, other: Run) -> Pairing:
    """The two runs on the queries that both measured: same text, same judgments, same documents."""
    measured = [_measured(run) for run in (first, other)]
    if not all(measured):
        return Pairing(first.name, other.name, {}, say("Not both of them were measured query by query."))
    if _hash(first.data / "corpus.jsonl") != _hash(other.data / "corpus.jsonl"):
        return Pairing(first.name, other.name, {}, say("They searched in different documents."))
    asked = [_questions(run) for run in (first, other)]
    shared = [key for key in asked[0] if asked[0][key] == asked[1].get(key)]
    one, two = ({key: per_query[key] for key in shared if key in per_query} for per_query in measured)
    metrics = [name for name in next(iter(one.values()), {}) if name in next(iter(two.values()), {})]
    if not one.keys() & two.keys() or not metrics:
        return Pairing(first.name, other.name, {}, say("They have no query in common."))
    return Pairing(first.name, other.name, compare_all(one, two, metrics))


def _questions(run: Run) -> dict[str, tuple[str, tuple[tuple[str, str], ...]]]:
    """By the id of a query its text and its judgments."""
    judged: dict[str, list[tuple[str, str]]] = {}
    for line in _lines(run.data / "qrels.tsv")[1:]:
        query, document, grade = line.split("\t")
        judged.setdefault(query, []).append((document, grade))
    records = map(json.loads, _lines(run.data / "queries.jsonl"))
    return {one["_id"]: (one["text"], tuple(sorted(judged.get(one["_id"], ())))) for one in records}


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def _hash(path: Path) -> str:
    return sha256(path) if path.is_file() else ""


def _measured(run: Run) -> dict[str, Any]:
    record = read_json(run.report / "after.json")
    found = record.get("per_query") if isinstance(record, dict) else None
    return found if isinstance(found, dict) else {}
