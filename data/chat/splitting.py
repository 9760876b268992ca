"""Splits of conversations that do not leak: by the first question, and for labels the same share of each.

Conversations whose first question is equal or nearly so go to one side. The same rows, fraction and seed give the same
split in every process. Of evaluation data that is given, :func:`leaks` says what the model would have seen in training.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tunewiz.data.chat.repeats import own_part
from tunewiz.data.retrieval.splitting import Components, choose, split, tie_equal
from tunewiz.data.rows.conversations import Conversation
from tunewiz.data.rows.examples import Group
from tunewiz.data.text.duplicates import NearDuplicates, Seen, fingerprint, near_pairs, normal
from tunewiz.problems import Problem, Where, say, warning


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
    for pair in near_pairs(row.question for row in rows):
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
            wanted = max(1, min(round(fraction * count), count - 1))  # one at least to measure, and one to learn
            held.update(choose(groups, questions, wanted, draw))
    return _parts(rows, held)


def _commonest(rows: Sequence[Conversation], group: Sequence[int]) -> str:
    return Counter(rows[index].label for index in group).most_common(1)[0][0]


# What the model would have seen in training of the conversations it is measured on.


def leaks(train: Sequence[Conversation], measured: Sequence[Conversation], file: str) -> Iterator[Problem]:
    """First questions of ``measured`` that ``train`` (of ``file``) has too, exactly or nearly, each with its row."""
    trained, near = Seen(), NearDuplicates()
    places: list[Where] = []
    for row in train:
        if trained.first(fingerprint(normal(row.question)), len(places)) is None:
            near.add(own_part(row.question))
            places.append(Where(file=row.source or file, line=row.line))
    first = len(near)
    asked: list[str] = []
    for row in measured:
        place = trained.get(fingerprint(normal(row.question)))
        if place is not None:
            message = say('The evaluation\'s question "{question}" is trained on.', question=row.question[:60])
            fix = say("Take the row out of the training data.")
            yield warning("leak-question", message, places[place], fix)
        else:
            near.add(own_part(row.question))
            asked.append(row.question)
    for pair in near.pairs():
        if pair.first < first <= pair.second:
            question = asked[pair.second - first][:60]
            message = say(
                'The evaluation\'s question "{question}" is nearly one that is trained on.', question=question
            )
            fix = say("Take the row out of the training data if both ask the same.")
            yield warning("leak-near-question", message, places[pair.first], fix)
