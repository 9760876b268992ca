"""Several datasets in one run: rows know theirs, repeats between them are seen, each gives its share, all is counted.

The order matters for honest numbers: rows to measure and to validate on are held out of all datasets together, and only
then does a weight draw from what is left of each.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from tunewiz.data.reading.source import Dataset
from tunewiz.data.rows.conversations import Conversation
from tunewiz.data.rows.examples import Group, ScoredPair
from tunewiz.problems import BadData, Findings, Message, Problem, Where, note, say, warning

Row = TypeVar("Row", Group | ScoredPair, Conversation)
Read = TypeVar("Read")


@dataclass(frozen=True)
class SourceCounts:
    """What became of the usable ``rows`` of a dataset.

    ``repeated`` are left out because a dataset before it has them too; of those that were not held out or kept for
    ``validation``, ``train`` were drawn with ``weight`` (a weight above 1 draws some more than once).
    """

    name: str
    rows: int
    repeated: int
    held_out: int
    validation: int
    train: int
    weight: float


def blended(datasets: Sequence[Dataset]) -> bool:
    """Whether there is anything to blend: several datasets, or one of which a share is drawn."""
    return len(datasets) > 1 or any(dataset.weight != 1 for dataset in datasets)


def names_of(datasets: Iterable[Dataset]) -> list[str]:
    """What each dataset is called: its path, with a number where it is there twice."""
    seen: Counter[str] = Counter()
    found = []
    for dataset in datasets:
        seen[dataset.path] += 1
        found.append(dataset.path if seen[dataset.path] == 1 else f"{dataset.path} ({seen[dataset.path]})")
    return found


def read_all(datasets: Iterable[Dataset], read: Callable[[Dataset], Read]) -> list[Read]:
    """``read`` of each. Raises :class:`BadData` with what is wrong with all of them, not only with the first."""
    found: list[Read] = []
    problems: list[Problem] = []
    for dataset in datasets:
        try:
            found.append(read(dataset))
        except BadData as fault:
            problems += fault.problems
    if problems:
        raise BadData(*problems)
    return found


def marked(parts: Sequence[Sequence[Row]], names: Sequence[str]) -> list[list[Row]]:
    """Each dataset's rows with its name on them."""
    return [[replace(row, source=name) for row in rows] for rows, name in zip(parts, names, strict=True)]


def tell_repeats(parts: Sequence[Sequence[Row]], kept: Sequence[Row], dropped: bool, findings: Findings) -> None:
    """Say how many rows of each dataset one before it has too: left out, or there twice where nothing is cleaned."""
    after = Counter(row.source for row in kept)
    for rows in parts:
        repeated = len(rows) - after[rows[0].source] if rows else 0
        if not repeated:
            continue
        where = Where(file=rows[0].source)
        if dropped:
            message = say("{count} rows are in a dataset before it too; they are left out here.", count=repeated)
            findings(note("repeated-across-datasets", message, where))
        else:
            message = say("{count} rows are in a dataset before it too.", count=repeated)
            findings(warning("repeated-across-datasets", message, where, say("data.clean: true leaves them out.")))


def draw(rows: Sequence[Row], datasets: Sequence[Dataset], seed: int) -> list[Row]:
    """Of the rows of each dataset as many as its weight wants, one at least: the same ones for the same ``seed``.

    Weight x rows, rounded, at random and without repetition up to 1; above it each is there as often as the whole
    part of the weight says, and the rest is drawn.
    """
    found: list[Row] = []
    for number, (name, dataset) in enumerate(zip(names_of(datasets), datasets, strict=True)):
        own = [row for row in rows if row.source == name]
        if not own or dataset.weight == 1:
            found += own
            continue
        times, rest = divmod(max(1, round(dataset.weight * len(own))), len(own))
        chosen = set(random.Random(f"{seed} dataset {number}").sample(range(len(own)), rest))
        found += [row for index, row in enumerate(own) for _ in range(times + (index in chosen))]
    return found


def counts_of(
    datasets: Sequence[Dataset],
    parts: Sequence[Sequence[Row]],
    sides: Mapping[str, Iterable[Row]],
) -> tuple[SourceCounts, ...]:
    """What became of each dataset's rows; ``sides`` are ``kept held_out validation train``."""
    counted = {side: Counter(row.source for row in rows) for side, rows in sides.items()}
    return tuple(
        SourceCounts(
            name,
            len(rows),
            len(rows) - counted["kept"][name],
            counted["held_out"][name],
            counted["validation"][name],
            counted["train"][name],
            dataset.weight,
        )
        for name, dataset, rows in zip(names_of(datasets), datasets, parts, strict=True)
    )


def told(counts: Sequence[SourceCounts]) -> Problem:
    """What became of each dataset, as one note."""
    first, *others = [line(one) for one in counts]
    for other in others:
        first = say("{first}; {second}", first=first, second=other)
    return note("datasets", say("Datasets: {all}.", all=first), Where(key="data.train"))


def line(counts: SourceCounts, name: str = "") -> Message:
    """What became of one dataset, called ``name`` or as it is."""
    return say(
        "{name}: of {rows} rows {train} trained on (weight {weight}), {held_out} held out, {validation} validated on",
        name=name or counts.name,
        train=counts.train,
        weight=f"{counts.weight:g}",
        held_out=counts.held_out,
        validation=counts.validation,
        rows=counts.rows,
    )
