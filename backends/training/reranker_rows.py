"""From examples to what a reranker's loss learns from: labelled pairs, lists of documents, or right against wrong.

The order of the columns decides their roles in sentence-transformers: query, document and label; query, documents and
labels; query, right document, wrong ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from tunewiz.backends.models.reranking import Pair
from tunewiz.backends.training import loss_rows
from tunewiz.backends.training.loss_rows import (
    ALL,
    Own,
    Rounds,
    available,
    loss_table,
    sampling_rows,
    tuple_table,
)
from tunewiz.backends.training.sampling import Rows as SamplingRows
from tunewiz.data.retrieval.prepared import Prepared
from tunewiz.data.rows.examples import Group, Scale, ScoredPair, scale_of
from tunewiz.data.text.duplicates import normal
from tunewiz.presets.losses.loss import RerankerLoss
from tunewiz.problems import Problem, note, say, warning

#: The weight of positives is kept within this, whatever the counts: beyond it a single mislabelled positive outweighs
#: all that a batch says.
_MOST_WEIGHT: Final = 100.0
#: Grades up to here are learned as they are by losses over lists; wider scales are brought onto 0 to 1. LambdaLoss and
#: its kin weigh a grade by 2^grade - 1: 31 at 5, 10^30 at 100 per cent.
_GRADES: Final = 5.0


@dataclass(frozen=True)
class Examples:
    """Rows ready for a loss: ``columns`` in the order of their roles (``label`` last where there are labels).

    ``pairs[row]`` are the pairs that the model reads for a row; ``pos_weight`` how many negatives there are for each
    positive, 1 where labels are no matter of yes or no. ``rounds``: the rows of each epoch, as in
    :class:`~tunewiz.backends.training.loss_rows.Table`.
    """

    columns: dict[str, list[Any]]
    pairs: list[list[Pair]]
    notes: tuple[Problem, ...] = ()
    pos_weight: float = 1.0
    sampling: Callable[[Sequence[int]], SamplingRows] | None = None
    rounds: tuple[tuple[int, ...], ...] = ()

    def __len__(self) -> int:
        return len(self.pairs)

    def rows(self, lengths: Sequence[int]) -> SamplingRows:
        """Which rows may meet in a batch; without in-batch negatives, all."""
        if self.sampling is not None:
            return self.sampling(lengths)
        numbers, nothing = range(len(self)), [frozenset[int]()] * len(self)
        return SamplingRows(numbers, numbers, nothing, [()] * len(self), lengths, self.rounds)


def reranker_loss_problems(loss: RerankerLoss, prepared: Prepared, mined_by: str = "none") -> list[Problem]:
    """What keeps ``loss`` from learning from ``prepared``: rows of another kind."""
    return loss_rows.loss_problems(loss, available(prepared), mined_by=mined_by)


def examples(loss: RerankerLoss, prepared: Prepared, seed: int, own: Own = ALL) -> Examples:
    """The training rows of ``prepared`` for ``loss``; that they fit is checked with :func:`problems`."""
    return {"pairs": _pairs, "lists": _lists, "tuples": _tuples}[loss.layout](loss, prepared, seed, own)


def documents_a_row(loss: RerankerLoss, prepared: Prepared, own: Own, batch: int) -> float:
    """Documents that a step scores for a row: of lists on average over the ``batch`` largest, which one may hold."""
    if loss.layout == "pairs" or loss.learns_margins:
        return 1 if loss.layout == "pairs" else 2
    groups = prepared.groups
    if prepared.shape == "scored":
        groups = group_pairs(prepared.pairs, scale_of([pair.score for pair in prepared.pairs]))[0]
    if loss.layout == "tuples":
        return loss_rows.texts_a_row(loss, groups, own)
    sizes = sorted(len(group.positives) + min(own.most, len(group.negatives)) for group in groups)[-batch:]
    return sum(sizes) / max(1, len(sizes))


def with_groups(prepared: Prepared, report: Callable[[Problem], None]) -> Prepared:
    """Pairs marked as relevant or not as groups, so that negatives can be mined for them; graded pairs stay.

    Queries without a relevant document are left out, and told of.
    """
    pairs = [*prepared.pairs, *prepared.validation_pairs]
    if prepared.shape != "scored" or not {pair.score for pair in pairs} <= {0.0, 1.0}:
        return prepared
    groups, lost = group_pairs(prepared.pairs, scale_of([pair.score for pair in pairs]))
    held_out, _ = group_pairs(prepared.validation_pairs, scale_of([pair.score for pair in pairs]))
    kept = [group for group in groups if group.positives]
    message = say("Made {groups} queries of {pairs} pairs, to mine more wrong documents.", groups=len(kept),
               pairs=len(prepared.pairs))  # fmt: skip
    report(note("pairs-grouped", message))
    if lost:
        report(_one_sided(lost))
    held_out = [group for group in held_out if group.positives]
    return replace(prepared, shape="groups", groups=kept, pairs=[], validation_groups=held_out, validation_pairs=[])


def _one_sided(count: int) -> Problem:
    message = say("{count} queries have no relevant document: there is nothing to put first for them.", count=count)
    return warning("one-sided-queries", message, fix=say("Mark a relevant document for each, or leave them out."))


def group_pairs(pairs: Sequence[ScoredPair], scale: Scale) -> tuple[list[Group], int]:
    """Pairs by query, in the order of the data; how many queries have no relevant document."""
    by_query: dict[str, list[ScoredPair]] = {}
    for pair in pairs:
        by_query.setdefault(normal(pair.first), []).append(pair)
    groups = []
    for some in by_query.values():
        best = sorted(some, key=lambda pair: -pair.score)
        right = [pair for pair in best if pair.score >= scale.middle]
        wrong = [pair for pair in best if pair.score < scale.middle]
        group = Group(
            query=some[0].first,
            positives=tuple(pair.second for pair in right),
            negatives=tuple(pair.second for pair in wrong),
            positive_scores=tuple(pair.score for pair in right),
            negative_scores=tuple(pair.score for pair in wrong),
            line=some[0].line,
        )
        groups.append(group)
    return groups, sum(not group.positives for group in groups)


# --- pairs with a label ----------------------------------------------------------------------------------------------


def _pairs(loss: RerankerLoss, prepared: Prepared, seed: int, _own: Own) -> Examples:
    made = loss_table(loss, prepared, seed)
    first, second = made.columns.values()
    labels, notes = made.labels, made.notes
    top, floor = max(labels, default=1.0), min(labels, default=0.0)
    if loss.needs_unit_scores and (floor < 0 or top > 1):
        labels, more = _on_unit(labels)
        notes = (*notes, *more)
    positive = sum(labels)
    weight = (len(labels) - positive) / positive if positive else 1.0
    weight = min(max(weight, 1 / _MOST_WEIGHT), _MOST_WEIGHT)
    columns: dict[str, list[Any]] = {"query": first, "document": second, "label": labels}
    pairs = [[pair] for pair in zip(first, second, strict=True)]
    return Examples(columns, pairs, (*notes, *_balance(positive, len(labels))), weight)


def _on_unit(labels: Sequence[float]) -> tuple[list[float], tuple[Problem, ...]]:
    """Labels of any scale from 0 to 1."""
    scale = scale_of(labels)
    span = scale.top - scale.floor
    message = say("Scores were brought from {low} to {high} onto 0 to 1.", low=scale.floor, high=scale.top)
    return [(label - scale.floor) / span for label in labels], (note("scores-scaled", message),)


def _balance(positive: float, count: int) -> Iterator[Problem]:
    if count and not 0 < positive < count:
        message = say("All {count} pairs have the same label: there is nothing to tell apart.", count=count)
        fix = say("Mine wrong documents: data.negatives.strategy: bm25.")
        yield warning("one-sided-labels", message, fix=fix)


# --- lists -----------------------------------------------------------------------------------------------------------


def _lists(_loss: RerankerLoss, prepared: Prepared, seed: int, own: Own) -> Examples:
    columns: dict[str, list[Any]] = {"query": [], "documents": [], "label": []}
    dropped, rounds = 0, Rounds(own.rounds)
    scaled, notes = _graded(prepared)
    for group, labels in scaled:
        if len(set(labels)) < 2:
            dropped += 1
            continue
        judged = list(zip((*group.positives, *group.negatives), labels, strict=True))
        right, wrong = judged[: len(group.positives)], judged[len(group.positives) :]
        draws = []
        for some in own.drawn(wrong, seed, group.query):
            documents, worth = zip(*right, *some, strict=True)
            draws.append([len(columns["query"])] if len(set(worth)) > 1 else [])
            if draws[-1]:
                columns["query"].append(group.query)
                columns["documents"].append(list(documents))
                columns["label"].append(list(worth))
        rounds.add(draws)
    if dropped:
        message = say("{count} queries whose documents all have the same label were left out: they have no order.",
                   count=dropped)  # fmt: skip
        notes = (
            *notes,
            warning("one-sided-queries", message, fix=say("Mine negatives: data.negatives.strategy: bm25.")),
        )
    notes += own.note([len(group.negatives) for group, _ in scaled])
    rows = zip(columns["query"], columns["documents"], strict=True)
    pairs = [[(query, text) for text in documents] for query, documents in rows]
    return Examples(columns, pairs, notes, rounds=rounds.all())


def _graded(prepared: Prepared) -> tuple[list[tuple[Group, list[float]]], tuple[Problem, ...]]:
    """Each query with the labels of its positives, then of its negatives."""
    if prepared.shape == "groups":
        ones = [(group, [1.0] * len(group.positives) + [0.0] * len(group.negatives)) for group in prepared.groups]
        return ones, ()
    scale = scale_of([pair.score for pair in prepared.pairs])
    groups, _ = group_pairs(prepared.pairs, scale)
    own = [(group, [*group.positive_scores, *group.negative_scores]) for group in groups]
    if scale.floor >= 0 and scale.top <= _GRADES:
        return own, ()
    span = scale.top - scale.floor
    message = say("Scores were brought from {low} to {high} onto 0 to 1.", low=scale.floor, high=scale.top)
    unit = [(group, [(label - scale.floor) / span for label in labels]) for group, labels in own]
    return unit, (note("scores-scaled", message),)


# --- right against wrong ---------------------------------------------------------------------------------------------


def _tuples(loss: RerankerLoss, prepared: Prepared, seed: int, own: Own) -> Examples:
    notes: tuple[Problem, ...] = ()
    if prepared.shape == "scored":
        groups, _ = group_pairs(prepared.pairs, scale_of([pair.score for pair in prepared.pairs]))
        both = [group for group in groups if group.positives and group.negatives]
        if len(both) < len(groups):
            message = say("{count} queries without both a right and a wrong document were left out.",
                       count=len(groups) - len(both))  # fmt: skip
            fix = say("Mine negatives: data.negatives.strategy: bm25.")
            notes = (warning("one-sided-queries", message, fix=fix),)
        prepared = replace(prepared, shape="groups", groups=both, pairs=[])
    if loss.learns_margins:
        return _margins(prepared.groups, notes, seed, own)
    made = tuple_table(loss, prepared.groups, seed, own)
    rows = list(zip(*made.columns.values(), strict=True))
    pairs = [[(query, text) for text in texts] for query, *texts in rows]
    columns: dict[str, list[Any]] = dict(made.columns)
    return Examples(columns, pairs, (*notes, *made.notes), sampling=lambda lengths: sampling_rows(made, lengths))


def _margins(groups: Sequence[Group], notes: tuple[Problem, ...], seed: int, own: Own) -> Examples:
    """A row for each right document with each wrong one, and the difference of their scores."""
    columns: dict[str, list[Any]] = {"query": [], "positive": [], "negative": [], "label": []}
    taught = sum(bool(group.positive_scores and group.negative_scores) for group in groups)
    rounds = Rounds(own.rounds)
    for group in groups:
        above = group.positive_scores or (1.0,) * len(group.positives)
        below = group.negative_scores or (0.0,) * len(group.negatives)
        if not (group.positive_scores and group.negative_scores):
            above, below = (1.0,) * len(group.positives), (0.0,) * len(group.negatives)
        draws = []
        for some in own.drawn(list(zip(group.negatives, below, strict=True)), seed, group.query):
            begun = len(columns["query"])
            for right, high in zip(group.positives, above, strict=True):
                for wrong, low in some:
                    for name, value in zip(columns, (group.query, right, wrong, high - low), strict=True):
                        columns[name].append(value)
            draws.append(range(begun, len(columns["query"])))
        rounds.add(draws)
    if taught < len(groups):
        message = say("{count} of {total} queries have no teacher scores; the gap to learn is 1 for them.",
                   count=len(groups) - taught, total=len(groups))  # fmt: skip
        notes = (*notes, warning("no-teacher-scores", message, fix=say("Take loss.name: binary_cross_entropy.")))
    notes += own.note([len(group.negatives) for group in groups])
    rows = zip(columns["query"], columns["positive"], columns["negative"], strict=True)
    pairs = [[(query, right), (query, wrong)] for query, right, wrong in rows]
    return Examples(columns, pairs, notes, rounds=rounds.all())
