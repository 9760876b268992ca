"""The recipe of a run: what its preset leaves open, chosen once its rows are prepared.

The choice stands as plain numbers in the run's preset, so that whoever runs that preset again chooses nothing anew.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Final, TypeVar

from tunewiz.backends.runs.run import Run
from tunewiz.backends.training.adjusting import write_preset
from tunewiz.backends.training.out_of_memory import with_values
from tunewiz.backends.training.validation import held_out
from tunewiz.data.retrieval.prepared import Prepared
from tunewiz.data.rows.examples import Collection
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.presets.recipe import Known, choose
from tunewiz.presets.yaml.library import load
from tunewiz.presets.yaml.writing import dumps
from tunewiz.problems import Where, note, say

R = TypeVar("R", bound=RetrievalPreset)

#: Training queries that the untouched model is measured on, and passages it searches at most: enough to tell good from
#: middling (a mean of 100 has a standard error of about 0.04), few enough to take seconds.
QUERIES: Final = 100
PASSAGES: Final = 500


def rows_of(prepared: Prepared) -> int:
    """Rows of an epoch: a query with each of its right passages, or scored pairs."""
    return sum(max(1, len(group.positives)) for group in prepared.groups) or len(prepared.pairs)


def shared_of(prepared: Prepared) -> float:
    """The share of rows whose passage is right for another query too; 0 without rows."""
    passages = Counter(text for group in prepared.groups for text in group.positives)
    return sum(count for count in passages.values() if count > 1) / max(1, passages.total())


def sample(prepared: Prepared, seed: int) -> Collection | None:
    """Training queries over their own passages and others that the evaluation searches; ``None`` for scored pairs.

    The untouched model has seen none of them. It is not asked for what it is measured by in the end.
    """
    groups = [group for group in prepared.groups if group.positives]
    drawn = random.Random(seed).sample(groups, min(QUERIES, len(groups)))
    return held_out(drawn, prepared, seed, PASSAGES) if drawn else None


def settled(run: Run, preset: R, known: Known) -> R:
    """``preset`` with its open keys chosen by ``known``; the run is told of each and has them in its preset."""
    found = choose(preset, known)
    told = {
        f"training.{key}": say("{value}. {reason}", value=f"{one.value:g}", reason=one.reason)
        for key, one in found.items()
    }
    values = {f"training.{key}": one.value for key, one in found.items()}
    # A pipeline's file holds more than its reranker's preset.
    why = [say("{key}: {why}", key=key, why=message) for key, message in told.items()]
    write_preset(run, dumps(with_values(load(str(run.preset_file)), values)), *why)
    for key, message in told.items():
        run.notice(note("recipe", message, Where(key=key)))
    return with_values(preset, values)
