"""Batches: every row once, nothing false taught, the same for the same seed, little padding."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunewiz.backends.training.sampling import BatchPlan, Rows

TEXTS = st.integers(100, 140)


@st.composite
def rows(draw: st.DrawFn) -> Rows:
    """Queries 0 to 30 over 40 passages, so that conflicts are common; some passages answer several queries."""
    count = draw(st.integers(1, 120))
    queries = draw(st.lists(st.integers(0, 30), min_size=count, max_size=count))
    positives = draw(st.lists(TEXTS, min_size=count, max_size=count))
    answers: dict[int, set[int]] = {}
    for query, positive in zip(queries, positives, strict=True):
        answers.setdefault(query, set()).add(positive)
    size = draw(st.integers(0, 2))
    drawn = draw(st.lists(st.lists(TEXTS, min_size=size, max_size=size), min_size=count, max_size=count))
    negatives = [
        [text if text not in answers[query] else 99 for text in texts]
        for query, texts in zip(queries, drawn, strict=True)
    ]
    right = [frozenset(answers[query]) for query in queries]
    lengths = draw(st.lists(st.integers(1, 500), min_size=count, max_size=count))
    return Rows(queries, positives, right, negatives, lengths)


def false_negatives(made: Rows, batch: list[int]) -> list[tuple[int, int]]:
    """Pairs of rows of which one teaches the other something wrong, spelled out pair by pair."""
    found = []
    for one in batch:
        for other in batch:
            if one == other:
                continue
            passages = {made.positives[other], *made.negatives[other]}
            if made.queries[one] == made.queries[other] or passages & made.answers[one]:
                found.append((one, other))
    return found


@given(rows(), st.integers(1, 16), st.integers(0, 3), st.booleans())
def test_rows_come_once_an_epoch_or_are_counted_as_left_out(made: Rows, size: int, seed: int, by_length: bool) -> None:
    plan = BatchPlan(made, size, seed, by_length)
    batches = plan.epoch(0)
    seen = [row for batch in batches for row in batch]
    assert len(set(seen)) == len(seen) == len(made) - plan.left_out
    largest = max(map(len, batches))
    assert all(largest / 4 <= len(batch) <= size for batch in batches)


@given(rows(), st.integers(1, 16), st.integers(0, 2))
def test_no_batch_holds_a_false_negative(made: Rows, size: int, epoch: int) -> None:
    for batch in BatchPlan(made, size, 7).epoch(epoch):
        assert not false_negatives(made, batch)


@given(rows(), st.integers(1, 16))
def test_every_epoch_has_as_many_batches_as_was_said(made: Rows, size: int) -> None:
    plan = BatchPlan(made, size, 1)
    assert [len(plan.epoch(number)) for number in range(4)] == [len(plan)] * 4


@given(rows(), st.integers(1, 16), st.integers(0, 2**32 - 1))
def test_a_seed_fixes_the_batches(made: Rows, size: int, seed: int) -> None:
    assert BatchPlan(made, size, seed).epoch(2) == BatchPlan(made, size, seed).epoch(2)


def pair(other_query: int, positive: int, negative: int, answers: set[int]) -> Rows:
    """A row of query 1 with positive 10, another right answer 11 and negative 12, and one more row."""
    right = [frozenset({10, 11}), frozenset({positive, *answers})]
    return Rows([1, other_query], [10, positive], right, [[12], [negative]])


@pytest.mark.parametrize(
    ("other", "together"),
    [
        (pair(2, 20, 22, set()), True),
        (pair(2, 20, 12, set()), True),  # the negative they share is wrong for both
        (pair(1, 20, 22, set()), False),  # the same query
        (pair(2, 10, 22, set()), False),  # the same passage
        (pair(2, 11, 22, set()), False),  # a passage that answers the first query
        (pair(2, 20, 11, set()), False),  # a negative that answers the first query
        (pair(2, 20, 22, {10}), False),  # the first passage answers the second query
        (pair(2, 20, 22, {12}), False),  # the first negative answers the second query
        (pair(10, 20, 22, set()), False),  # the second query is the first passage
        (pair(12, 20, 22, set()), False),  # the second query is the first negative
        (pair(2, 1, 22, set()), False),  # the second passage is the first query
        (pair(2, 20, 1, set()), False),  # the second negative is the first query
    ],
)
def test_two_rows_meet_where_neither_teaches_the_other_something_wrong(other: Rows, together: bool) -> None:
    for seed in range(4):  # whichever of them comes first
        assert len(BatchPlan(other, 2, seed).epoch(0)) == (1 if together else 2)


@pytest.mark.parametrize(("count", "sizes"), [(8, [8]), (9, [8]), (10, [2, 8]), (17, [8, 8]), (18, [2, 8, 8])])
def test_a_remainder_below_a_quarter_of_a_batch_is_left_out(count: int, sizes: list[int]) -> None:
    plan = BatchPlan(easy(count), 8, 0)
    assert sorted(map(len, plan.epoch(0))) == sizes
    assert plan.left_out == count - sum(sizes)


def easy(count: int) -> Rows:
    """Rows that never conflict, of very different lengths."""
    lengths = [10 + (37 * place) % 300 for place in range(count)]
    positives = [1000 + place for place in range(count)]
    return Rows(range(count), positives, [frozenset({text}) for text in positives], [()] * count, lengths)


def test_epochs_differ_in_who_meets_whom() -> None:
    plan = BatchPlan(easy(640), 16, 3)
    first, second = (
        {frozenset((one, other)) for batch in plan.epoch(number) for one in batch for other in batch if one < other}
        for number in (0, 1)
    )
    assert len(first & second) < 0.25 * len(first)


def test_batches_by_length_pad_less_than_half_of_random_ones() -> None:
    made = easy(2048)

    def padding(by_length: bool) -> int:
        batches = BatchPlan(made, 32, 3, by_length).epoch(0)
        widths = [max(made.lengths[row] for row in batch) * len(batch) for batch in batches]
        return sum(widths) - sum(made.lengths)

    assert padding(True) < 0.25 * padding(False)


def test_a_place_in_the_epoch_says_nothing_of_the_length() -> None:
    made = easy(3200)
    batches = BatchPlan(made, 32, 5).epoch(0)
    means = [sum(made.lengths[row] for row in batch) / len(batch) for batch in batches]
    ascending = sum(one < other for one, other in pairwise(means))
    assert 0.3 * len(means) < ascending < 0.7 * len(means)


def test_full_batches_where_rows_allow_it() -> None:
    sizes = Counter(len(batch) for batch in BatchPlan(easy(1000), 64, 0).epoch(0))
    assert sizes == {64: 15, 40: 1}


def test_what_one_epoch_leaves_out_the_next_ones_take() -> None:
    """One query has 12 answers, 30 others have one each: batches of 8 soon hold the one query alone."""
    queries = [0] * 12 + list(range(1, 31))
    positives = [100 + place for place in range(len(queries))]
    answers = [frozenset(positives[:12])] * 12 + [frozenset({text}) for text in positives[12:]]
    plan = BatchPlan(Rows(queries, positives, answers, [()] * len(queries)), 8, 0)
    assert 0 < plan.left_out <= 12
    seen = {row for number in range(12) for batch in plan.epoch(number) for row in batch}
    assert seen == set(range(len(queries)))


def test_one_query_with_many_positives_gives_batches_of_one() -> None:
    positives = list(range(10, 40))
    made = Rows([1] * 30, positives, [frozenset(positives)] * 30, [()] * 30)
    assert [len(batch) for batch in BatchPlan(made, 8, 0).epoch(0)] == [1] * 30


def test_without_in_batch_negatives_rows_are_only_cut() -> None:
    made = Rows([1] * 10, [2] * 10, [frozenset({2})] * 10, [()] * 10)
    assert sorted(len(batch) for batch in BatchPlan(made, 4, 0, apart=False).epoch(0)) == [2, 4, 4]


def test_shared_negatives_stay_apart_while_others_can_fill_the_batch() -> None:
    count = 64
    positives = [1000 + place for place in range(count)]
    negatives = [[5] if place < 4 else [2000 + place] for place in range(count)]
    made = Rows(range(count), positives, [frozenset({text}) for text in positives], negatives)
    batches = BatchPlan(made, 8, 1).epoch(0)
    assert all(sum(row < 4 for row in batch) <= 1 for batch in batches)
    crowded = Rows(range(4), positives[:4], [frozenset({text}) for text in positives[:4]], negatives[:4])
    assert [len(batch) for batch in BatchPlan(crowded, 4, 1).epoch(0)] == [4]
