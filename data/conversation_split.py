"""Splits of conversations that do not leak: by the first question, and for labels the same share of each.

Conversations whose first question is equal or nearly so go to one side. The same rows, fraction and seed give the same
split in every process.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from data.conversation_repeats import own_part
from data.conversations import Conversation
from data.examples import Group
from data.fingerprints import normal
from data.near_duplicates import near
from data.problems import Problem
from data.splitting import Components, choose, split, tie_equal


@dataclass(frozen=True)
class Parts:
    """Conversations on two sides, each in their original order, and what should be said about it."""

    train: list[Conversation]
    held_out: list[Conversation]
    problems: tuple[Problem, ...] = ()


def split_conversations(rows: Sequence[Conversation], fraction: float, seed: int, most: int | None = None) -> Parts:
    """Hold out about ``fraction`` (0 to 1) of the different first questions, at most ``most``.

    Rows with labels are held out label by label, at least one of each label that has two questions or more.
    """
    if fraction > 0 and rows and all(row.label for row in rows):
        return _stratified(rows, fraction, seed, most)
    groups = [Group(own_part(row.question), (), line=number) for number, row in enumerate(rows)]
    parts = split(groups, fraction, seed, most)
    held = {group.line for group in parts.held_out}
    return _parts(rows, held, parts.problems)


def _parts(rows: Sequence[Conversation], held: set[int], problems: tuple[Problem, ...] = ()) -> Parts:
    return Parts(
        [row for number, row in enumerate(rows) if number not in held],
        [row for number, row in enumerate(rows) if number in held],
        problems,
    )


def _stratified(rows: Sequence[Conversation], fraction: float, seed: int, most: int | None) -> Parts:
    questions = [normal(row.question) for row in rows]
    if most is not None:
        fraction = min(fraction, most / max(1, len(set(questions))))
    components = Components(len(rows))
    tie_equal(components, questions)
    for pair in near(row.question for row in rows):
        # Texts nearly alike with different labels are what the model shall tell apart.
        if rows[pair.first].label == rows[pair.second].label:
            components.tie(pair.first, pair.second)
    by_label: dict[str, list[list[int]]] = defaultdict(list)
    for group in components.groups():
        by_label[_commonest(rows, group)].append(group)
    held: set[int] = set()
    for label in sorted(by_label):
        groups = by_label[label]
        count = len({questions[index] for group in groups for index in group})
        if len(groups) > 1:
            draw = random.Random(f"{seed} {label}")
            held.update(choose(groups, questions, max(1, round(fraction * count)), draw))
    return _parts(rows, held)


def _commonest(rows: Sequence[Conversation], group: Sequence[int]) -> str:
    return Counter(rows[index].label for index in group).most_common(1)[0][0]
