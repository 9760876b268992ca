"""Every loss: found by its file, explained in both languages, its options within ranges."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from presets.losses import catalogue
from presets.losses.matryoshka import Matryoshka

NAMES = {
    "angle", "cached_multiple_negatives_ranking", "contrastive", "cosent", "cosine_similarity", "gist", "info_nce",
    "m3_unified", "matryoshka", "multiple_negatives_ranking", "online_contrastive", "triplet",
}  # fmt: skip


def options(name: str) -> dict[str, object]:
    return {"name": name} | ({"guide": "starter"} if name == "gist" else {})


def test_all_are_found() -> None:
    assert set(catalogue()) == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_says_who_it_is_for_and_what_it_learns_from(name: str) -> None:
    kind = catalogue()[name]
    assert kind.who_for and kind.rows
    assert all(field.title and field.description for field in kind.model_fields.values())
    assert kind.model_validate(options(name)).name == name


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("multiple_negatives_ranking", {"scale": 0}),
        ("multiple_negatives_ranking", {"scale": float("nan")}),
        ("cached_multiple_negatives_ranking", {"mini_batch_size": 0}),
        ("gist", {"guide": ""}),
        ("triplet", {"distance": "dot"}),
        ("triplet", {"margin": -1}),
        ("contrastive", {"margin": 0}),
        ("cosent", {"scal": 20}),
        ("matryoshka", {"dimensions": []}),
        ("matryoshka", {"loss": "nothing"}),
    ],
)
def test_wrong_options_are_refused(name: str, wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        catalogue()[name].model_validate(options(name) | wrong)


def test_matryoshka_in_matryoshka_and_odd_dimensions_are_problems() -> None:
    nested = Matryoshka.model_validate({"loss": {"name": "matryoshka"}, "dimensions": [64, 64, 0]})
    assert [problem.code for problem in nested.problems("loss")] == ["matryoshka-nested", "matryoshka-dimensions"]
    assert not Matryoshka().problems("loss")


def test_matryoshka_batches_and_caches_like_its_inner_loss() -> None:
    around = Matryoshka.model_validate({"loss": "cached_multiple_negatives_ranking"})
    assert around.core.in_batch_negatives and around.core.caches_gradients
    assert not Matryoshka.model_validate({"loss": "cosent"}).core.in_batch_negatives
