"""The recipe: what it chooses from what is known, and what stays as it was written."""

from __future__ import annotations

import pytest

from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.drafts.suggest import Facts, suggestions, values
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.presets.recipe import Known, choose, open_keys
from tunewiz.presets.yaml.library import load, loads
from tunewiz.presets.yaml.writing import dumps

STARTERS = [f"{task}/starter{end}" for task in ("embedding", "reranker", "pipeline") for end in ("", "-zh")]


def starter(*overrides: str, name: str = "embedding/starter") -> RetrievalPreset:
    preset = load(name, ["data.train=sample:faq-en", *overrides])
    assert isinstance(preset, RetrievalPreset)
    return preset


def chosen(known: Known, *overrides: str, name: str = "embedding/starter") -> dict[str, object]:
    return {key: one.value for key, one in choose(starter(*overrides, name=name), known).items()}


@pytest.mark.parametrize("name", STARTERS)
def test_starters_leave_epochs_and_rate_to_the_recipe(name: str) -> None:
    assert {"epochs", "learning_rate"} <= set(open_keys(starter(name=name).training))


def test_a_good_model_is_trained_gently_and_a_weak_one_more() -> None:
    strong, middle, weak = (chosen(Known(600, score, "ndcg@10")) for score in (0.72, 0.45, 0.05))
    assert (strong["epochs"], strong["learning_rate"]) == (1.0, 2e-5)
    assert strong["epochs"] < middle["epochs"] < weak["epochs"]  # type: ignore[operator]
    assert strong["learning_rate"] < middle["learning_rate"] < weak["learning_rate"] <= 5e-5  # type: ignore[operator]
    unknown = chosen(Known(600))
    assert (unknown["epochs"], unknown["learning_rate"]) == (2.0, 2e-5)
    assert chosen(Known(600, 0.72, "ndcg@10", validated=True))["epochs"] == 2.0


def test_many_rows_are_gone_through_fewer_times() -> None:
    found = [chosen(Known(rows, 0.05, "ndcg@10"))["epochs"] for rows in (500, 5_000, 50_000, 500_000)]
    assert found == [5.0, 3.0, 2.0, 1.0]
    assert chosen(Known(50_000, 0.05))["evaluations"] == 4


def test_few_rows_make_enough_steps_for_what_there_is_to_learn() -> None:
    found = {
        score: [chosen(Known(rows, score, "ndcg@10"))["epochs"] for rows in (40, 130, 207, 300, 600, 5_000)]
        for score in (0.6, 0.8, 0.97)
    }
    assert found[0.6] == [5.0, 5.0, 5.0, 4.0, 2.0, 1.0]
    assert found[0.8] == [5.0, 5.0, 3.0, 2.0, 1.0, 1.0]
    assert found[0.97] == [2.0, 1.0, 1.0, 1.0, 1.0, 1.0]


def test_a_strong_model_is_not_trained_faster_than_the_libraries_do() -> None:
    """The Chinese starter's usual rate is 5e-5."""
    rates = {
        (score, shared): chosen(Known(300, score, "ndcg@10", shared=shared), name="embedding/starter-zh")[
            "learning_rate"
        ]
        for score in (0.97, 0.5, 0.1, None)
        for shared in (0.0, 0.8)
    }
    assert rates[0.97, 0.0] == 2e-5
    assert rates[0.97, 0.8] == 2e-5
    assert set(rates.values()) - {2e-5} == {5e-5} and list(rates.values()).count(2e-5) == 2


def test_rows_that_share_their_answers_are_learned_more() -> None:
    apart, shared = (chosen(Known(300, 0.8, "ndcg@10", shared=share)) for share in (0.3, 0.8))
    assert (apart["epochs"], apart["learning_rate"]) == (2.0, 2e-5)
    assert (shared["epochs"], shared["learning_rate"]) == (5.0, 5e-5)
    found = chosen(Known(300, 0.95, "ndcg@10", shared=0.99))  # paragraphs that the model finds already
    assert (found["epochs"], found["learning_rate"]) == (1.0, 2e-5)
    # Of many rows each answer is met often enough.
    assert chosen(Known(5_000, 0.8, "ndcg@10", shared=0.8)) == chosen(Known(5_000, 0.8, "ndcg@10"))
    assert chosen(Known(300, 0.8, "ndcg@10", shared=0.8), "method.type=lora")["learning_rate"] == 2e-4


def test_adapters_keep_their_rate_and_few_steps_do_not_climb() -> None:
    assert chosen(Known(600, 0.05, "ndcg@10"), "method.type=lora")["learning_rate"] == 2e-4
    assert chosen(Known(40, 0.8, "ndcg@10"))["warmup"] == 0.0
    assert chosen(Known(5_000, 0.8, "ndcg@10"))["warmup"] == 0.1


def test_a_fresh_head_takes_large_steps_and_a_reranker_small_ones() -> None:
    fresh, ranks = (chosen(Known(600, fresh=fresh), name="reranker/starter") for fresh in (True, False))
    assert (fresh["epochs"], fresh["learning_rate"]) == (2.0, 1e-4)
    assert (ranks["epochs"], ranks["learning_rate"]) == (1.0, 2e-5)


@pytest.mark.parametrize(
    ("written", "left"),
    [
        (["training.epochs=1"], {"learning_rate"}),
        (["training.learning_rate=2e-5"], {"epochs", "warmup", "evaluations"}),
        (["training.max_steps=20"], {"learning_rate"}),
        (["training.recipe=fixed"], set()),
        (["training.epochs=1", "training.learning_rate=2e-5"], set()),
    ],
)
def test_what_is_written_stays_even_where_it_is_the_default(written: list[str], left: set[str]) -> None:
    assert set(chosen(Known(600, 0.05, "ndcg@10"), *written)) == left
    for brief in (False, True):
        again = loads(dumps(starter(*written), brief))
        assert set(open_keys(again.training)) == left
        assert again == starter(*written)


def test_a_batch_that_nobody_wrote_has_others_to_compare_with() -> None:
    preset = loads(
        "version: 1\nname: x\ntask: embedding\nmodel: {id: all-MiniLM-L6-v2}\ndata: {train: x.csv}\n"
        "loss: {name: multiple_negatives_ranking}"
    )
    assert isinstance(preset, RetrievalPreset)
    assert [choose(preset, Known(rows))["batch_size"].value for rows in (100, 5_000)] == [32, 64]


@pytest.mark.parametrize("name", STARTERS)
def test_every_choice_has_its_reason_in_both_languages(name: str) -> None:
    for known in (Known(600, 0.8, "ndcg@10", True), Known(600, 0.4, "ndcg@10"), Known(90, 0.1), Known(9, fresh=True)):
        for one in choose(starter(name=name), known).values():
            assert one.reason.text("en") and one.reason.text("zh") != one.reason.text("en")


def test_both_parts_of_a_pipeline_and_variants_know_what_was_written() -> None:
    pipeline = load("pipeline/starter", ["training.learning_rate=3e-5"])
    assert "learning_rate" not in open_keys(pipeline.reranker().training)  # type: ignore[attr-defined]
    assert "epochs" in open_keys(pipeline.reranker().training)  # type: ignore[attr-defined]
    assert "epochs" in open_keys(pipeline.first().training)  # type: ignore[attr-defined]
    assert open_keys(load("comparison/negatives").variant("bm25").training) == ()  # type: ignore[attr-defined]


def test_a_wizard_leaves_to_the_run_what_presets_leave_to_it() -> None:
    for name in ("embedding/starter", "embedding/starter-zh"):
        shipped = load(name)
        facts = Facts(shape="groups", rows=900, max_length=256, language="zh" if name.endswith("zh") else "en")
        draft = Draft().answer(("task",), "embedding").answer(("data", "train"), shipped.data.train)  # type: ignore[attr-defined]
        proposed = draft.suggest(values(suggestions(draft, facts)))
        assert proposed.left_open == Draft.of(shipped).left_open
        assert proposed.preset().training.batch_size == shipped.training.batch_size
    text = dumps(proposed.preset())
    assert proposed.become(loads(text)).left_open == proposed.left_open
    line = next(line for line in text.splitlines() if line.lstrip().startswith("# epochs:"))
    written = proposed.become(loads(text.replace(line, "  epochs: 1.0")))
    assert written.is_answered(("training", "epochs")) and ("training", "epochs") not in written.left_open
    assert written.become(loads(text)).left_open == proposed.left_open
