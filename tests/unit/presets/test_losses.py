"""Every loss: found by its name, explained in both languages, options within ranges; which backends train it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tunewiz.backends import engines as backends
from tunewiz.presets import checks
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.losses import catalogue, trained_by
from tunewiz.presets.losses.loss import Loss, RerankerLoss
from tunewiz.presets.losses.matryoshka import Matryoshka
from tunewiz.presets.tasks.embedding import EmbeddingPreset
from tunewiz.tui.wizard.steps.loss import LossStep

# Every loss: found by its file, explained in both languages, its options within ranges.


NAMES = {
    "angle", "cached_multiple_negatives_ranking", "contrastive", "cosent", "cosine_similarity", "distill_kl", "gist",
    "info_nce", "m3_unified", "margin_mse", "matryoshka", "multiple_negatives_ranking", "online_contrastive", "triplet",
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


# Losses and backends: which go together, and what is said where they do not.


def preset(loss: Any, backend: str) -> EmbeddingPreset:
    return EmbeddingPreset.model_validate(
        {
            "name": "x",
            "backend": backend,
            "model": {"id": "starter", "source": "starter"},
            "data": {"train": "a.csv"},
            "loss": loss,
        }
    )


@pytest.mark.parametrize("kind", [Loss, RerankerLoss])
def test_every_loss_has_a_backend_that_is_there(kind: Any) -> None:
    for loss in catalogue(kind).values():
        assert loss.backends and loss.backends <= set(backends.names())


def test_one_backend_serves_both_tasks() -> None:
    found = backends.find_engine("flag_embedding")
    assert found.tasks == {"embedding", "reranker"}
    assert "query_instruction_for_retrieval" in found.native(preset("info_nce", "flag_embedding"))


@pytest.mark.parametrize(
    ("loss", "backend", "fix"),
    [
        (
            {"name": "multiple_negatives_ranking", "scale": 50},
            "flag_embedding",
            "{name: info_nce, temperature: 0.02}",
        ),
        ({"name": "info_nce"}, "sentence_transformers", "{name: multiple_negatives_ranking, scale: 50}"),
        ({"name": "triplet"}, "flag_embedding", "info_nce, m3_unified"),
        ({"name": "matryoshka", "loss": "info_nce"}, "sentence_transformers", "scale: 50"),
    ],
)
def test_a_loss_of_another_backend_is_told_with_what_comes_near(loss: Any, backend: str, fix: str) -> None:
    (problem,) = [each for each in preset(loss, backend).problems() if each.code == "loss-backend"]
    assert fix in problem.line("en")


@pytest.mark.parametrize("backend", ["sentence_transformers", "flag_embedding"])
def test_losses_of_the_backend_are_no_problem(backend: str) -> None:
    for name in trained_by(backend):
        loss = catalogue()[name].model_validate({"name": name} | ({"guide": "starter"} if name == "gist" else {}))
        assert not list(checks.loss_backend_problems(backend, loss))


def test_the_wizard_offers_what_the_backend_trains_with() -> None:
    offer = LossStep().offers()["loss"]
    for backend in ("sentence_transformers", "flag_embedding"):
        found = [choice.value for choice in offer(Draft({"task": "embedding", "backend": backend}))]
        assert set(found) == set(trained_by(backend))


def test_a_group_of_one_needs_the_batch() -> None:
    loss = {"name": "info_nce", "group_size": 1, "batch_negatives": False}
    assert "group-of-one" in {problem.code for problem in preset(loss, "flag_embedding").problems()}


def test_a_missing_library_is_told_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import util

    real = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name, *more: None if name == "FlagEmbedding" else real(name, *more))
    (problem,) = [
        each
        for each in backends.find_engine("flag_embedding").problems(preset("info_nce", "flag_embedding"))
        if each.code == "packages-missing"
    ]
    assert "FlagEmbedding" in problem.line("en") and "pip install" in problem.line("en")


@pytest.mark.parametrize(
    ("loss", "code"),
    [({"name": "info_nce", "group_size": 8}, "group-above-mined"), ({"distillation": "kl_div"}, "mined-untaught")],
)
def test_mining_too_few_or_untaught_negatives_is_warned_of(loss: Any, code: str) -> None:
    wanted = preset({"name": "info_nce"} | loss, "flag_embedding")
    mined = wanted.data.model_copy(update={"negatives": wanted.data.negatives.model_copy(update={"strategy": "bm25"})})
    found = backends.find_engine("flag_embedding").problems(wanted.model_copy(update={"data": mined}))
    assert code in {problem.code for problem in found}


@pytest.mark.parametrize(
    ("task", "first", "last"),
    [
        ("embedding", "multiple_negatives_ranking", {"margin_mse", "distill_kl"}),
        ("reranker", "binary_cross_entropy", {"margin_mse"}),
    ],
)
def test_what_suits_most_rows_is_offered_first_and_what_needs_a_teacher_last(
    task: str, first: str, last: set[str]
) -> None:
    offered = [choice.value for choice in LossStep().offers()["loss"](Draft(answers={"task": task}))]
    assert offered[0] == first
    assert set(offered[-len(last) :]) == last
