"""The training rows of every dataset of a plan, read, cleaned, and free of what an earlier one has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tunewiz.data import blending
from tunewiz.data.checks.columns import near_key
from tunewiz.data.opening import opened
from tunewiz.data.opening.opened import Opened
from tunewiz.data.reading.source import Dataset
from tunewiz.data.retrieval.cleaning import usable_rows
from tunewiz.data.retrieval.prepared import Plan
from tunewiz.data.rows.examples import Example, Group, ScoredPair
from tunewiz.data.text.duplicates import Seen
from tunewiz.problems import BadData, Findings, Where, error, note, say, stop_on_errors


@dataclass(frozen=True)
class Part:
    """The usable rows of one dataset; of a test collection, those of ``split``."""

    data: Opened
    split: str
    rows: list[Example]


@dataclass(frozen=True)
class Rows:
    """``rows`` are those of all ``parts``, in their order, without what a part before has too."""

    parts: list[Part]
    rows: list[Example]

    @property
    def first(self) -> Part:
        """The dataset that stands for all where one must."""
        return self.parts[0]

    def hashes(self) -> dict[str, str]:
        """The SHA-256 of every file that is read."""
        return {name: value for part in self.parts for name, value in part.data.hashes().items()}


def datasets_of(plan: Plan) -> tuple[Dataset, ...]:
    """Everything that is trained on."""
    return (plan.train, *plan.others)


def read_rows(plan: Plan, findings: Findings) -> Rows:
    """Open and read every dataset of ``plan``.

    Raises :class:`BadData`: for all that cannot be opened or has no usable row, and when rows of different kinds meet.
    """
    datasets = datasets_of(plan)
    parts = blending.read_all(datasets, lambda dataset: _part(dataset, plan, findings))
    stop_on_errors(findings)
    empty = [_nothing(dataset, part) for dataset, part in zip(datasets, parts, strict=True) if not part.rows]
    if empty:
        raise BadData(*empty)
    if not blending.blended(datasets):
        return Rows(parts, parts[0].rows)
    named = blending.marked([_without_ids(part.rows) for part in parts], blending.names_of(datasets))
    parts = [replace(part, rows=rows) for part, rows in zip(parts, named, strict=True)]
    _check_shapes(parts)
    for part in parts if len(parts) > 1 else ():
        if part.data.is_collection:
            message = say(
                "Of the collection its rows of {split} are used; what is measured on is held out of all datasets.",
                split=part.split,
            )
            fix = say("To measure on the collection itself: data.evaluation.data: {path}", path=part.data.source.name)
            findings(note("collection-blended", message, part.data.source.at(), fix))
    kept = _without_repeats(parts)
    blending.tell_repeats([part.rows for part in parts], kept, plan.clean, findings)
    return Rows(parts, kept if plan.clean else [row for part in parts for row in part.rows])


def _part(dataset: Dataset, plan: Plan, findings: Findings) -> Part:
    data = opened.open_dataset(dataset, findings, plan.task)
    split = opened.train_split(data, dataset.split, findings) if data.is_collection else ""
    return Part(data, split, usable_rows(data, plan, findings, split))


def _nothing(dataset: Dataset, part: Part) -> Any:
    message = say("No row can be trained on.")
    fix = say("See what is wrong with each: tunewiz data {path}", path=dataset.path)
    return error("no-usable-rows", message, part.data.source.at(), fix)


def _without_ids(rows: list[Example]) -> list[Example]:
    """Rows without ids, which are unique in their own dataset only; equal texts are known by themselves."""
    return [replace(row, query_id="", positive_ids=()) if isinstance(row, Group) else row for row in rows]


def _check_shapes(parts: list[Part]) -> None:
    shapes = {type(part.rows[0]) for part in parts}
    if len(shapes) < 2:
        return
    of_kind = {
        kind: ", ".join(part.data.source.name for part in parts if isinstance(part.rows[0], kind))
        for kind in (Group, ScoredPair)
    }
    message = say(
        "No loss learns from both: {groups} has queries with their passages, {pairs} has pairs with a score.",
        groups=of_kind[Group],
        pairs=of_kind[ScoredPair],
    )
    fix = say("Train on one kind, or map the columns of the others so that they give it: columns, format.")
    raise BadData(error("unlike-datasets", message, Where(key="data.train"), fix))


def _without_repeats(parts: list[Part]) -> list[Example]:
    """All rows but those that a part before has too; repeats within a part are its own matter."""
    seen = Seen()
    numbered = ((number, row) for number, part in enumerate(parts) for row in part.rows)
    return [row for number, row in numbered if seen.first(near_key(row), number) in (None, number)]
