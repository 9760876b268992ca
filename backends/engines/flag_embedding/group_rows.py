"""From prepared groups to the lines FlagEmbedding reads, each with enough negatives for its group."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from tunewiz.backends.training.loss_rows import Fill, answers_of
from tunewiz.backends.training.sampling import Rows as SamplingRows
from tunewiz.data.retrieval.prepared import Prepared
from tunewiz.data.rows.examples import Group
from tunewiz.data.text.duplicates import normal
from tunewiz.files import write_jsonl
from tunewiz.presets.losses.info_nce import MOST
from tunewiz.problems import BadPreset, Problem, Where, error, note, say, warning


class Groups(Protocol):
    """What a loss over groups says of them."""

    @property
    def group_size(self) -> Literal["auto"] | int:
        """Passages a query is compared with."""

    @property
    def distillation(self) -> str:
        """How a teacher's scores are learned; none if they are not."""

    @property
    def compares_batch(self) -> bool:
        """Whether passages of the batch's other queries are wrong answers too."""


@dataclass(frozen=True)
class GroupRows:
    """Groups to train on, in order, and how many passages of each a step compares its query with."""

    groups: list[Group]
    size: int
    notes: tuple[Problem, ...] = ()

    def write(self, path: Path, query_instruction: str, distilled: bool) -> Path:
        """Write the lines: ``query pos neg``, with ``pos_scores neg_scores`` if ``distilled``.

        Every line has the same keys, as the reader of the library wants it; ``prompt`` is there if any row brought one.
        """
        own = any(group.instruction for group in self.groups)

        def line(group: Group) -> dict[str, Any]:
            record: dict[str, Any] = {"query": group.query, "pos": list(group.positives), "neg": list(group.negatives)}
            if distilled:
                record |= {
                    "pos_scores": list(map(float, group.positive_scores)),
                    "neg_scores": list(map(float, group.negative_scores)),
                }
            return record | ({"prompt": group.instruction or query_instruction} if own else {})

        write_jsonl(path, map(line, self.groups))
        return path

    def sampling(self, lengths: Sequence[int]) -> SamplingRows:
        """Which rows may not share a batch. Any positive of a row may be drawn, so all of them count."""
        ids: dict[str, int] = {}

        def number(text: str) -> int:
            return ids.setdefault(normal(text), len(ids))

        known = answers_of(self.groups)
        return SamplingRows(
            queries=[number(group.query) for group in self.groups],
            positives=[number(group.positives[0]) for group in self.groups],
            answers=[frozenset(map(number, known[normal(group.query)])) for group in self.groups],
            negatives=[tuple(map(number, (*group.positives[1:], *group.negatives))) for group in self.groups],
            lengths=lengths,
        )


def rows_in_groups(loss: Groups, prepared: Prepared, seed: int) -> GroupRows:
    """The rows of ``prepared`` for ``loss``. Raises :class:`BadPreset` when they cannot make its groups."""
    known = answers_of(prepared.groups)
    groups = [_without_answers(group, known[normal(group.query)]) for group in prepared.groups]
    notes: list[Problem] = []
    if loss.distillation != "none":
        groups, lost = _taught(groups)
        if lost:
            notes.append(_untaught(lost, len(groups)))
    size = _group_size(loss, groups)
    if loss.distillation == "none":
        groups, filled = _filled(groups, size - 1, seed)
        if filled:
            notes.append(filled)
    message = say("Each query is compared with its own right passage and {wrong} wrong ones.", wrong=size - 1)
    if size == 1:
        message = say("Each query is compared with its own right passage and those of the batch's other queries.")
    return GroupRows(groups, size, (note("group-size", message), *notes))


def group_problems(loss: Groups, prepared: Prepared) -> list[Problem]:
    """What :func:`rows` would raise."""
    try:
        rows_in_groups(loss, prepared, 0)
    except BadPreset as fault:
        return list(fault.problems)
    return []


def typical(groups: Sequence[Group]) -> int:
    """The number of negatives that half of the groups reach."""
    counts = sorted(len(group.negatives) for group in groups)
    return counts[len(counts) // 2] if counts else 0


def _without_answers(group: Group, right: frozenset[str]) -> Group:
    """``group`` without negatives that are known to answer its query."""
    kept = [place for place, text in enumerate(group.negatives) if normal(text) not in right]
    if len(kept) == len(group.negatives):
        return group
    scores = group.negative_scores
    return replace(
        group,
        negatives=tuple(group.negatives[place] for place in kept),
        negative_scores=tuple(scores[place] for place in kept) if len(scores) == len(group.negatives) else (),
    )


def _taught(groups: Sequence[Group]) -> tuple[list[Group], int]:
    """The groups with a teacher's score for every passage, and how many lack them."""
    taught = [
        group
        for group in groups
        if group.negatives
        and len(group.positive_scores) == len(group.positives)
        and len(group.negative_scores) == len(group.negatives)
    ]
    if not taught:
        message = say("Distillation needs a teacher's score for every passage; no row of the data has them.")
        fix = say("Add the columns pos_scores and neg_scores, or set loss.distillation: none.")
        raise BadPreset(error("teacher-scores-missing", message, Where(key="loss.distillation"), fix))
    return taught, len(groups) - len(taught)


def _group_size(loss: Groups, groups: Sequence[Group]) -> int:
    there = typical(groups)
    if loss.group_size == "auto":
        least = 1 if loss.compares_batch and loss.distillation == "none" else 2
        return max(least, min(MOST, there + 1))
    if loss.group_size > there + 1:
        message = say(
            "A group of {size} needs {wanted} negatives a query; half of the queries have {there} or fewer.",
            size=loss.group_size,
            wanted=loss.group_size - 1,
            there=there,
        )
        fix = say(
            "Set loss.group_size to auto or {most}, or mine more: data.negatives.strategy: dense, per_query: {wanted}.",
            most=max(there + 1, 1 if loss.compares_batch else 2),
            wanted=loss.group_size - 1,
        )
        raise BadPreset(error("group-too-large", message, Where(key="loss.group_size"), fix))
    return loss.group_size


def _filled(groups: Sequence[Group], count: int, seed: int) -> tuple[list[Group], Problem | None]:
    """Every group with at least ``count`` negatives, random passages where there are fewer; without any for 0."""
    if not count:
        return [replace(group, negatives=(), negative_scores=()) for group in groups], None
    known, fill = answers_of(groups), Fill(groups, random.Random(seed))
    made = []
    for group in groups:
        if len(group.negatives) < count:
            texts = fill.up_to(count, group.negatives, known[normal(group.query)])
            if texts is None:
                continue
            group = replace(group, negatives=texts, negative_scores=())
        made.append(group)
    return made, fill.note(count) if fill.used else None


def _untaught(lost: int, left: int) -> Problem:
    message = say(
        "{lost} rows are left out: not every passage of theirs has a teacher's score. {left} remain.",
        lost=lost,
        left=left,
    )
    return warning("rows-untaught", message, Where(key="loss.distillation"))
