"""Examples to columns: order, roles, numbers of negatives, labels, scales."""

from __future__ import annotations

import pytest

from tunewiz.backends.training import loss_rows
from tunewiz.backends.training.loss_rows import available, loss_table, sampling_rows
from tunewiz.data.retrieval.prepared import Prepared
from tunewiz.data.rows.examples import Group, ScoredPair
from tunewiz.presets.losses import catalogue
from tunewiz.presets.losses.loss import Loss


def loss(name: str, **options: object) -> Loss:
    if name == "gist":
        options = {"guide": "starter"} | options
    return catalogue()[name].model_validate({"name": name} | options)


def of(*groups: Group) -> Prepared:
    return Prepared("groups", groups=list(groups))


def pairs(*scores: float) -> Prepared:
    return Prepared("scored", pairs=[ScoredPair(f"a{place}", f"b{place}", score) for place, score in enumerate(scores)])


MANY = of(*(Group(f"q{n}", (f"p{n}", f"r{n}"), (f"n{n}", f"m{n}", f"o{n}")) for n in range(6)))


def test_pairs_make_a_row_of_each_positive() -> None:
    made = loss_table(loss("multiple_negatives_ranking"), of(Group("q", ("p", "r")), Group("s", ("t",))), 0)
    assert list(made.columns) == ["anchor", "positive"]
    assert list(zip(*made.columns.values(), strict=True)) == [("q", "p"), ("q", "r"), ("s", "t")]
    assert made.roles == {"anchor": "query", "positive": "passage"}
    assert made.answers[0] == {"p", "r"}


def test_tuples_have_columns_in_the_order_of_their_roles() -> None:
    made = loss_table(loss("multiple_negatives_ranking"), MANY, 0)
    assert list(made.columns) == ["anchor", "positive", "negative_1", "negative_2", "negative_3"]
    first, second = list(zip(*made.columns.values(), strict=True))[:2]
    assert first[:2] == ("q0", "p0") and set(first[2:]) == {"n0", "m0", "o0"}
    assert second[:2] == ("q0", "r0")


def test_gist_takes_one_negative_a_row_in_turn() -> None:
    made = loss_table(loss("gist"), MANY, 0)
    assert list(made.columns) == ["anchor", "positive", "negative_1"]
    assert made.columns["negative_1"][:2] == ["n0", "m0"]


def test_triplets_use_every_negative() -> None:
    made = loss_table(loss("triplet"), MANY, 0)
    assert len(made) == 18
    assert set(made.columns["negative_1"][:3]) == {"n0", "m0", "o0"}


def test_the_number_of_negatives_is_what_half_of_the_rows_reach_and_the_rest_is_filled() -> None:
    groups = [Group(f"q{n}", (f"p{n}",), tuple(f"n{n}.{m}" for m in range(n))) for n in (0, 1, 2, 2, 4)]
    rows = [Group(f"{place}{group.query}", group.positives, group.negatives) for place, group in enumerate(groups)]
    made = loss_table(loss("multiple_negatives_ranking"), of(*rows), 3)
    assert made.negatives == 2
    assert [problem.code for problem in made.notes] == ["negatives-filled"]
    for query, positive, *negatives in zip(*made.columns.values(), strict=True):
        assert len(set(negatives)) == 2 and positive not in negatives, query


def test_a_negative_that_answers_the_query_elsewhere_is_never_used() -> None:
    made = loss_table(loss("triplet"), of(Group("q", ("p",), ("r", "n")), Group("Q?", ("r",), ("m",))), 0)
    rows = list(zip(*made.columns.values(), strict=True))
    assert not [row for row in rows if row[0] in ("q", "Q?") and row[2] in ("p", "r")]


def test_groups_become_labelled_pairs() -> None:
    made = loss_table(loss("contrastive"), of(Group("q", ("p",), ("n", "m"))), 0)
    assert made.columns == {"first": ["q", "q", "q"], "second": ["p", "n", "m"]}
    assert made.labels == [1.0, 0.0, 0.0]
    assert made.notes[0].code == "pairs-labelled"


@pytest.mark.parametrize(("top", "scores"), [(3, (0, 1, 2, 3)), (5, (0, 2.5, 4.2, 5))])
def test_scores_are_brought_onto_zero_to_one_and_that_is_said(top: float, scores: tuple[float, ...]) -> None:
    made = loss_table(loss("cosine_similarity"), pairs(*scores), 0)
    assert made.labels == pytest.approx([score / top for score in scores])
    assert [problem.code for problem in made.notes] == ["scores-scaled"]


def test_losses_over_the_order_leave_scores_alone() -> None:
    assert loss_table(loss("cosent"), pairs(0, 3, 5), 0).labels == [0, 3, 5]


def test_graded_pairs_are_split_at_the_middle_for_contrastive_losses() -> None:
    made = loss_table(loss("online_contrastive"), pairs(0, 1, 2, 3), 0)
    assert set(made.labels) == {0.0, 1.0} and made.notes[0].code == "scores-halved"


def test_unit_scores_and_cosines_stay_as_they_are() -> None:
    assert loss_table(loss("cosine_similarity"), pairs(-0.5, 0.2, 1.0), 0).labels == [-0.5, 0.2, 1.0]
    assert loss_table(loss("contrastive"), pairs(0, 1, 1), 0).labels == [0, 1, 1]


def test_matryoshka_asks_its_inner_loss() -> None:
    around = loss("matryoshka", loss="contrastive")
    assert loss_table(around, of(Group("q", ("p",), ("n",))), 0).labels == [1.0, 0.0]


@pytest.mark.parametrize(
    ("name", "prepared", "fits"),
    [
        ("multiple_negatives_ranking", of(Group("q", ("p",))), True),
        ("triplet", of(Group("q", ("p",))), False),
        ("triplet", MANY, True),
        ("contrastive", of(Group("q", ("p",))), False),
        ("contrastive", MANY, True),
        ("cosent", pairs(0, 1), True),
        ("multiple_negatives_ranking", pairs(0, 1), False),
        ("matryoshka", pairs(0, 1), False),
    ],
)
def test_fit(name: str, prepared: Prepared, fits: bool) -> None:
    found = loss_rows.loss_problems(loss(name), available(prepared))
    assert (not found) is fits
    if found:
        assert found[0].code == "loss-rows" and found[0].where.key == "loss.name"
        named = found[0].line("en").split("Choose one of: ")[1].split(".")[0].split(", ")
        assert all(set(catalogue()[other].rows) & available(prepared) for other in named)


def test_sampling_sees_equal_texts_as_one() -> None:
    made = loss_table(loss("multiple_negatives_ranking"), of(Group("Same?", ("p",)), Group("same", ("P ", "r"))), 0)
    rows = sampling_rows(made, ())
    assert len(set(rows.queries)) == 1 and len(set(rows.positives)) == 2
    assert set(rows.answers[0]) == set(rows.positives)
