"""From examples to the columns a loss learns from, and which losses can learn from the rows at hand.

The order of the columns decides their roles in sentence-transformers, not their names: query, positive, negatives;
or two texts and a label.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Final, Literal, TypeVar

from tunewiz.backends.training.sampling import Rows as SamplingRows
from tunewiz.data.retrieval.prepared import Prepared
from tunewiz.data.rows.examples import Group, ScoredPair, scale_of
from tunewiz.data.text.duplicates import normal
from tunewiz.language import N_
from tunewiz.presets.losses import alike
from tunewiz.presets.losses.loss import Loss, Rows
from tunewiz.presets.losses.teacher import Taught
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.problems import Message, Problem, Where, error, say, warning
from tunewiz.problems import note as noted

# Which losses can learn from the rows at hand.


_WORDS: Final[dict[Rows, str]] = {
    "pairs": N_("queries with answers"),
    "triplets": N_("queries with right and wrong answers"),
    "scored": N_("pairs with a score"),
    "labelled": N_("pairs marked as matching or not"),
}


def fitting(loss: Loss, kinds: Collection[Rows]) -> tuple[str, ...]:
    """The names of the losses like ``loss`` that can learn from rows of one of ``kinds``."""
    return tuple(name for name, other in alike(loss).items() if set(other.rows) & set(kinds))


def loss_problems(loss: Loss, kinds: Collection[Rows], key: str = "loss", mined_by: str = "none") -> list[Problem]:
    """One problem (``loss-rows``) when ``loss`` cannot learn from any of ``kinds``, naming the losses that can.

    ``mined_by`` is the strategy that was to find wrong answers: where they are what lacks, it found none.
    """
    if set(loss.core.rows) & set(kinds):
        return []
    message = say(
        "The loss {loss} learns from {needed}; the data has {found}.",
        loss=loss.core.name,
        needed=_either(loss.core.rows),
        found=_either(sorted(kinds, key=list(_WORDS).index)),
    )
    fix = say("Choose one of: {names}.", names=tuple(fitting(loss, kinds)))
    if "triplets" in loss.core.rows and "pairs" in kinds and mined_by != "none":
        fix = say(
            "Mining by {strategy} found no wrong answers: lower data.negatives.relative_margin or skip_top, or set "
            "data.negatives.strategy: random. Or choose one of: {names}.",
            strategy=mined_by,
            names=tuple(fitting(loss, kinds)),
        )
    elif "triplets" in loss.core.rows and "pairs" in kinds:
        fix = say(
            "Choose one of: {names}. Or let wrong answers be mined: data.negatives.strategy: bm25.",
            names=tuple(fitting(loss, kinds)),
        )
    return [error("loss-rows", message, Where(key=f"{key}.name"), fix)]


def _either(kinds: Collection[Rows]) -> Message:
    first, *others = [Message(_WORDS[kind]) for kind in kinds]
    for other in others:
        first = say("{first} or {second}", first=first, second=other)
    return first


Role = Literal["query", "passage"]

#: Random passages tried before a row is left with the negatives it has: all fail by chance only where nearly every
#: passage answers the query.
_TRIES: Final = 50
#: Epochs that draw other wrong answers than those before, at most; each costs a row for every query.
_ROUNDS: Final = 16

T = TypeVar("T")


@dataclass(frozen=True)
class Table:
    """Rows ready for a loss: ``columns[name][row]`` in the order of their roles, and ``labels`` where the loss has any,
    a number a row or a teacher's score for each of its passages.

    ``answers[row]`` are the texts known to answer the row's query (empty without in-batch negatives);
    ``instructions[row]`` a query instruction that came with the data. ``rounds``: the rows of each epoch, in turn,
    where queries have more wrong answers than one takes; empty where every epoch takes all rows.
    """

    columns: dict[str, list[str]]
    roles: dict[str, Role]
    labels: list[Any] = field(default_factory=list)
    answers: list[frozenset[str]] = field(default_factory=list)
    instructions: list[str] = field(default_factory=list)
    notes: tuple[Problem, ...] = ()
    rounds: tuple[tuple[int, ...], ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    @property
    def negatives(self) -> int:
        """Hard negatives a row."""
        return sum(name.startswith("negative") for name in self.columns)


def available(prepared: Prepared) -> frozenset[Rows]:
    """The row shapes that can be made of ``prepared``."""
    if prepared.shape == "scored":
        return frozenset({"scored", "labelled"})
    kinds: set[Rows] = {"pairs"}
    if any(group.negatives for group in prepared.groups):
        kinds |= {"triplets", "labelled"}
    return frozenset(kinds)


@dataclass(frozen=True)
class Own:
    """How many of a query's own wrong answers an epoch takes, ``most``, drawn anew in each of ``rounds`` epochs."""

    most: int = sys.maxsize
    rounds: int = 1

    @classmethod
    def of(cls, preset: RetrievalPreset) -> Own:
        """As many as a query is to have, and as many draws as there are epochs."""
        training = preset.training
        epochs = _ROUNDS if training.max_steps > 0 else math.ceil(training.epochs)
        return cls(preset.data.negatives.per_query, max(1, min(epochs, _ROUNDS)))

    def drawn(self, texts: Sequence[T], seed: int, query: str) -> list[Sequence[T]]:
        """Which of ``texts`` each epoch takes: all of few; of many each in turn before one is taken again."""
        if len(texts) <= self.most:
            return [texts]
        order = random.Random(f"{seed} {query}").sample(range(len(texts)), len(texts))
        return [
            [texts[order[(start * self.most + place) % len(texts)]] for place in range(self.most)]
            for start in range(self.rounds)
        ]

    def note(self, counts: Sequence[int]) -> tuple[Problem, ...]:
        """What is told where some of ``counts`` are more than are taken."""
        if max(counts, default=0) <= self.most:
            return ()
        message = say(
            "{count} queries have more than {most} wrong documents of their own (up to {top}): each epoch takes {most} "
            "of them, drawn anew.",
            count=sum(count > self.most for count in counts),
            most=self.most,
            top=max(counts),
        )
        fix = say("data.negatives.per_query says how many; memory and time of a step grow with it.")
        return (noted("negatives-drawn", message, Where(key="data.negatives.per_query"), fix),)


ALL: Final = Own()


class Rounds:
    """The numbers of the rows of each epoch, as rows are made query by query."""

    def __init__(self, count: int) -> None:
        self._rows: list[list[int]] = [[] for _ in range(count)]

    def add(self, draws: Sequence[Sequence[int]]) -> None:
        """The rows of a query, for each draw of its wrong answers; one draw stands for all."""
        for number, rows in enumerate(self._rows):
            rows.extend(draws[number % len(draws)])

    def all(self) -> tuple[tuple[int, ...], ...]:
        """Empty where every epoch has the same."""
        first = self._rows[0]
        return () if all(rows == first for rows in self._rows) else tuple(map(tuple, self._rows))


def texts_a_row(loss: Loss, groups: Sequence[Group], own: Own) -> int:
    """Texts that a step reads of a row of ``groups``, as :meth:`Loss.texts` counts them."""
    # A loss over groups of a set size draws them itself.
    most = sys.maxsize if "group_size" in type(loss.core).model_fields else own.most
    return loss.texts(min(most, _negatives_a_row(loss.core, groups)))


def loss_table(loss: Loss, prepared: Prepared, seed: int, own: Own = ALL) -> Table:
    """The training rows of ``prepared`` for ``loss``; that they fit is checked in ``fit.py``."""
    core = loss.core
    if prepared.shape == "scored":
        return _scored_table(core, prepared.pairs)
    if "pairs" not in core.rows and "labelled" in core.rows:
        return _labelled_table(prepared.groups)
    if isinstance(core, Taught):
        return _taught_table(core, prepared.groups, seed, own)
    return tuple_table(core, prepared.groups, seed, own)


def tuple_table(core: Loss, groups: Sequence[Group], seed: int, own: Own = ALL) -> Table:
    """Rows of a query, a right passage and as many wrong ones in each as the loss takes and ``own`` allows."""
    count = min(own.most, _negatives_a_row(core, groups))
    fill, rounds = Fill(groups, random.Random(seed)), Rounds(own.rounds)
    names = ["anchor", "positive", *(f"negative_{number}" for number in range(1, count + 1))]
    columns: dict[str, list[str]] = {name: [] for name in names}
    answers: list[frozenset[str]] = []
    instructions: list[str] = []
    known = answers_of(groups)
    for group in groups:
        right = known[normal(group.query)]
        wrong = tuple(text for text in group.negatives if normal(text) not in right) if count else ()
        draws = []
        for some in own.drawn(wrong, seed, group.query):
            begun = len(answers)
            for positive, negatives in _expanded(group.positives, tuple(some), count, core.in_batch_negatives):
                filled = fill.up_to(count, negatives, right)
                if filled is None:
                    continue
                for name, text in zip(names, (group.query, positive, *filled), strict=True):
                    columns[name].append(text)
                answers.append(right)
                instructions.append(group.instruction)
            draws.append(range(begun, len(answers)))
        rounds.add(draws)
    roles: dict[str, Role] = {name: "query" if name == "anchor" else "passage" for name in names}
    notes: tuple[Problem, ...] = (fill.note(count),) if fill.used else ()
    if count:
        notes += own.note([len(group.negatives) for group in groups])
    return Table(columns, roles, [], answers, instructions, notes, rounds.all())


def _negatives_a_row(core: Loss, groups: Sequence[Group]) -> int:
    """The number that half of the groups with negatives reach, within what the loss takes."""
    counts = sorted(len(group.negatives) for group in groups if group.negatives)
    if not counts or "triplets" not in core.rows:
        return 0
    return min(counts[len(counts) // 2], core.max_negatives or counts[-1])


def answers_of(groups: Iterable[Group]) -> dict[str, frozenset[str]]:
    """For each query (normalised), the normalised texts that answer it in any row."""
    found: dict[str, set[str]] = {}
    for group in groups:
        found.setdefault(normal(group.query), set()).update(map(normal, group.positives))
    return {query: frozenset(texts) for query, texts in found.items()}


def _expanded(
    positives: tuple[str, ...], negatives: tuple[str, ...], count: int, in_batch: bool
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """One row a positive, its negatives taken in turn; without in-batch negatives as many rows as use each of them."""
    rows = len(positives) if in_batch or not count else max(len(positives), -(-len(negatives) // count))
    for row in range(rows):
        start = row * count
        chosen = [negatives[(start + place) % len(negatives)] for place in range(min(count, len(negatives)))]
        yield positives[row % len(positives)], tuple(chosen)


class Fill:
    """Random passages for rows that have too few negatives."""

    def __init__(self, groups: Sequence[Group], draw: random.Random) -> None:
        self._passages = [positive for group in groups for positive in group.positives]
        self._draw = draw
        self.used = 0

    def up_to(self, count: int, negatives: tuple[str, ...], right: frozenset[str]) -> tuple[str, ...] | None:
        """``negatives`` and as many passages that do not answer the query as make ``count`` texts.

        With hardly any passages in the data a negative may stand twice in a row; ``None`` when there is none at all.
        """
        texts = list(negatives)
        held = {normal(text) for text in texts}
        for _ in range(_TRIES * (count - len(texts))):
            if len(texts) == count:
                break
            text = self._draw.choice(self._passages)
            if normal(text) not in right and normal(text) not in held:
                texts.append(text)
                held.add(normal(text))
                self.used += 1
        if count and not texts:
            return None
        return tuple(texts[place % len(texts)] for place in range(count))

    def note(self, count: int) -> Problem:
        """What was filled in."""
        message = say(
            "Rows get {count} negatives each; {filled} of them are random passages, where the data or the mining gave "
            "fewer.",
            count=count,
            filled=self.used,
        )
        return noted("negatives-filled", message)


# A teacher's scores as labels.


def is_taught(group: Group) -> bool:
    """Whether each passage of the group has a teacher's score, and there are wrong ones among them."""
    scores = len(group.positive_scores), len(group.negative_scores)
    return bool(group.negatives) and scores == (len(group.positives), len(group.negatives))


def teacher_problems(loss: Loss, groups: Sequence[Group]) -> list[Problem]:
    """What keeps ``loss`` from learning scores: there are none, or they put wrong passages above right ones."""
    if not isinstance(loss.core, Taught):
        return []
    taught = [group for group in groups if is_taught(group)]
    if not taught:
        message = say("The loss {name} learns a teacher's scores, and no query has one for each of its passages.",
                      name=loss.core.name)  # fmt: skip
        fix = say("Set data.teacher.model and data.teacher.use: distil, or add the columns pos_scores and neg_scores.")
        return [error("teacher-scores-missing", message, Where("loss.name"), fix)]
    if mean_margin(taught) <= 0:
        message = say("On average the teacher scores wrong passages as high as right ones ({margin}): it can teach "
                      "nothing.", margin=round(mean_margin(taught), 4))  # fmt: skip
        fix = say("Name a better reranker in data.teacher.model, or set data.teacher.model: null and another loss.")
        return [error("teacher-no-better", message, Where("data.teacher.model"), fix)]
    return []


def mean_margin(groups: Sequence[Group]) -> float:
    """By how much right passages score higher than wrong ones; each query counts the same."""
    margins = [fmean(group.positive_scores) - fmean(group.negative_scores) for group in groups if is_taught(group)]
    return fmean(margins) if margins else 0.0


def _taught_table(core: Taught, groups: Sequence[Group], seed: int, own: Own) -> Table:
    """A row for each right passage, with wrong ones in turn; labels are scores, brought to the scale of cosines."""
    taught = [group for group in groups if is_taught(group)]
    count = min(own.most, _negatives_a_row(core, taught))
    scale, rounds = core.margin / mean_margin(taught), Rounds(own.rounds)
    names = ["anchor", "positive", *(f"negative_{number}" for number in range(1, count + 1))]
    columns: dict[str, list[str]] = {name: [] for name in names}
    labels: list[list[float]] = []
    instructions: list[str] = []
    for group in taught:
        draws = []
        wrong = list(zip(group.negatives, group.negative_scores, strict=True))
        for some in own.drawn(wrong, seed, group.query):
            begun = len(labels)
            for number, (positive, score) in enumerate(zip(group.positives, group.positive_scores, strict=True)):
                chosen = [some[(number * count + place) % len(some)] for place in range(count)]
                for name, text in zip(names, (group.query, positive, *(text for text, _ in chosen)), strict=True):
                    columns[name].append(text)
                labels.append([scale * one for one in (score, *(low for _, low in chosen))])
                instructions.append(group.instruction)
            draws.append(range(begun, len(labels)))
        rounds.add(draws)
    message = say(
        "{rows} rows learn a teacher's scores of {passages} passages each; the scores are multiplied by {scale}, so "
        "that right passages score {margin} higher than wrong ones on average.",
        rows=len(labels), passages=count + 1, scale=round(scale, 4), margin=core.margin,
    )  # fmt: skip
    notes = [noted("teacher-learned", message), *own.note([len(group.negatives) for group in taught])]
    if len(taught) < len(groups):
        left = say("{count} of {total} queries are not learned from: they lack wrong passages, or a teacher's scores.",
                   count=len(groups) - len(taught), total=len(groups))  # fmt: skip
        notes.append(warning("teacher-left-out", left))
    roles: dict[str, Role] = {name: "query" if name == "anchor" else "passage" for name in names}
    return Table(columns, roles, labels, [], instructions, tuple(notes), rounds.all())


def _labelled_table(groups: Sequence[Group]) -> Table:
    columns: dict[str, list[str]] = {"first": [], "second": []}
    labels: list[float] = []
    instructions: list[str] = []
    for group in groups:
        for texts, label in ((group.positives, 1.0), (group.negatives, 0.0)):
            columns["first"] += [group.query] * len(texts)
            columns["second"] += texts
            labels += [label] * len(texts)
            instructions += [group.instruction] * len(texts)
    message = say(
        "Made {pairs} labelled pairs: each query with its positives (1) and its negatives (0).", pairs=len(labels)
    )
    notes = (noted("pairs-labelled", message),)
    return Table(columns, {"first": "query", "second": "passage"}, labels, [], instructions, notes)


def _scored_table(core: Loss, pairs: Sequence[ScoredPair]) -> Table:
    columns = {"first": [pair.first for pair in pairs], "second": [pair.second for pair in pairs]}
    scores = [pair.score for pair in pairs]
    labels, notes = _as_labels(scores) if core.rows[0] == "labelled" else _as_scores(core, scores)
    # Both texts of a scored pair may be of one kind; the first still is what a search would be asked with.
    return Table(columns, {"first": "query", "second": "passage"}, labels, notes=notes)


def _as_labels(scores: list[float]) -> tuple[list[float], tuple[Problem, ...]]:
    if set(scores) <= {0.0, 1.0}:
        return scores, ()
    middle = scale_of(scores).middle
    message = say("Pairs that score {middle} or more count as matching, the others as not.", middle=middle)
    return [float(score >= middle) for score in scores], (noted("scores-halved", message),)


def _as_scores(core: Loss, scores: list[float]) -> tuple[list[float], tuple[Problem, ...]]:
    scale = scale_of(scores)
    if not core.needs_unit_scores or scale.top <= 1.0:
        return scores, ()
    span = scale.top - scale.floor
    message = say("Scores were brought from {low} to {high} onto 0 to 1.", low=scale.floor, high=scale.top)
    return [(score - scale.floor) / span for score in scores], (noted("scores-scaled", message),)


def sampling_rows(made: Table, lengths: Sequence[int]) -> SamplingRows:
    """Which rows may not meet: ``made`` with its texts as numbers, equal for texts that are the same to a reader."""
    ids: dict[str, int] = {}
    normalised: dict[str, str] = {}

    def number(text: str) -> int:
        if text not in normalised:
            normalised[text] = normal(text)
        return ids.setdefault(normalised[text], len(ids))

    columns = list(made.columns.values())
    answers: dict[frozenset[str], frozenset[int]] = {}
    for right in made.answers:
        if right not in answers:
            answers[right] = frozenset(ids.setdefault(text, len(ids)) for text in right)
    return SamplingRows(
        queries=[number(text) for text in columns[0]],
        positives=[number(text) for text in columns[1]],
        answers=[answers[right] for right in made.answers] or [frozenset()] * len(made),
        negatives=list(zip(*([number(text) for text in column] for column in columns[2:]), strict=True))
        or [()] * len(made),
        lengths=lengths,
        rounds=made.rounds,
    )
