"""Suggestions: from data, model and machine, each with a reason, never against an answer."""

from __future__ import annotations

import pytest

from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.drafts.suggest import Facts, estimate, suggestions, values
from tunewiz.presets.families import lookup


def draft(**given: object) -> Draft:
    made = Draft().suggest({"task": "embedding"})
    for key, value in given.items():
        made = made.answer(tuple(key.split("__")), value)
    return made


def suggested(made: Draft, facts: Facts) -> dict[str, object]:
    return values(suggestions(made, facts))


FACTS = Facts(shape="groups", rows=460, max_length=128, language="en")


def test_named_data_is_all_that_is_needed() -> None:
    made = draft(data__train="sample:faq-en")
    whole = made.suggest(suggested(made, FACTS))
    assert whole.problems() == []
    preset = whole.preset().model_dump()
    assert preset["name"] == "faq-en-embedding"
    assert preset["model"] == preset["model"] | {"id": "all-MiniLM-L6-v2", "source": "starter"}
    assert ("training", "epochs") in whole.left_open
    assert preset["training"]["max_length"] == 128


def test_nothing_is_claimed_that_is_not_known() -> None:
    found = suggested(draft(), Facts())
    assert "model.id" not in found
    assert "training.max_length" not in found
    assert "training.epochs" not in found
    assert "loss.name" not in found


@pytest.mark.parametrize(("shape", "loss"), [("groups", "multiple_negatives_ranking"), ("scored", "cosent")])
def test_the_loss_fits_the_rows(shape: str, loss: str) -> None:
    assert suggested(draft(), Facts(shape=shape))["loss.name"] == loss  # type: ignore[arg-type]


def test_the_model_speaks_the_language_of_the_data() -> None:
    def model(language: str, **answers: str) -> tuple[object, object]:
        found = suggested(draft(**answers), Facts(shape="groups", language=language))
        return found["model.id"], found.get("model.source")

    assert model("en") == ("all-MiniLM-L6-v2", "starter")
    for language in ("zh", "ja", "und"):
        assert model(language) == ("starter-multilingual", "starter")
    assert model("zh", task="reranker")[0] == "BAAI/bge-reranker-base"
    assert model("und", task="pipeline") == ("starter-multilingual", "starter")
    assert (
        suggested(draft(task="pipeline"), Facts(shape="groups", language="zh"))["embedding"] == "embedding/starter-zh"
    )
    assert "embedding" not in suggested(draft(task="pipeline"), FACTS)


def test_bge_models_keep_their_temperature() -> None:
    made = draft(model__id="BAAI/bge-small-zh-v1.5")
    assert made.suggest(suggested(made, FACTS)).value(("loss", "scale")) == 50.0


def test_the_learning_rate_follows_method_and_model() -> None:
    small = draft(model__id="BAAI/bge-small-zh-v1.5", training__recipe="fixed")
    assert suggested(small, FACTS)["training.learning_rate"] == 3e-5
    assert suggested(small.answer(("method", "type"), "lora"), FACTS)["training.learning_rate"] == 2e-4
    assert suggested(draft(method__type="lora", training__recipe="fixed"), Facts())["training.learning_rate"] == 1e-4
    assert suggested(small, FACTS)["training.epochs"] == 5.0


def test_a_large_model_gets_adapters() -> None:
    from tunewiz.presets.families import known_models

    for one in known_models("embedding"):
        found = suggested(draft(model__id=one.size.id), FACTS)
        assert found["method.type"] == ("lora" if one.size.parameters > 600_000_000 else "full")


def test_the_batch_fits_the_free_memory() -> None:
    made = draft(data__train="x.csv", model__id="BAAI/bge-large-en-v1.5")
    roomy = Facts(shape="groups", rows=100_000, max_length=512, free=80 * 1024**3)
    tight = Facts(shape="groups", rows=100_000, max_length=512, free=16 * 1024**3)
    large, small = suggested(made, roomy)["training.batch_size"], suggested(made, tight)["training.batch_size"]
    assert isinstance(large, int)
    assert isinstance(small, int)
    assert small < large
    needed = estimate(made.suggest(suggested(made, tight)), tight)
    assert needed is not None
    assert needed.high <= 16 * 1024**3 or small == 8


def test_no_length_beyond_what_the_model_reads() -> None:
    made = draft(model__id="all-MiniLM-L6-v2")
    assert suggested(made, Facts(max_length=2048))["training.max_length"] == 512


def test_answers_stand_and_reasons_read_in_both_languages() -> None:
    made = draft(training__epochs=9, data__train="a b/ü.csv")
    found = suggestions(made, FACTS)
    assert made.suggest(values(found)).value(("training", "epochs")) == 9
    for key, suggestion in found.items():
        assert suggestion.reason.text("en"), key
        assert suggestion.reason.text("zh"), key


@pytest.mark.parametrize("train", ["问题.csv", "///", ".", "sample:", "-", "a" * 300, "x.tar.gz"])
def test_any_path_gives_a_name_that_is_allowed(train: str) -> None:
    made = draft(data__train=train)
    made = made.suggest(suggested(made, Facts()))
    assert not [problem for problem in made.problems() if problem.where.key == "name" and problem.code != "missing-key"]


@pytest.mark.parametrize("method", ["ia3", "prefix_tuning", "prompt_tuning"])
def test_a_method_brings_the_backend_that_trains_it(method: str) -> None:
    made = draft(task="llm", data__train="sample:instructions-en", method__type=method)
    whole = made.suggest(suggested(made, Facts(shape="conversations", rows=170, language="en")))
    assert whole.value(("backend",)) == "peft"
    assert [problem.line("en") for problem in whole.problems() if problem.severity != "note"] == []
    assert "backend" not in suggested(made.answer(("method", "type"), "lora"), Facts())


# What cannot be had is not proposed.


E5 = lookup("starter-multilingual").size.id  # type: ignore[union-attr]
MINILM = "sentence-transformers/all-MiniLM-L6-v2"


@pytest.mark.parametrize(
    ("facts", "model"),
    [
        ({"hubs": True}, "starter-multilingual"),
        ({"hubs": None}, None),
        ({"hubs": None, "here": frozenset({E5})}, "starter-multilingual"),
        ({"hubs": False}, None),
        ({"hubs": False, "here": frozenset({MINILM})}, MINILM),
        ({"hubs": False, "here": frozenset({MINILM, "BAAI/bge-m3"})}, "BAAI/bge-m3"),
    ],
)
def test_what_cannot_be_had_is_not_proposed(facts: dict[str, object], model: str | None) -> None:
    known = Facts(shape="groups", language="zh", **facts)  # type: ignore[arg-type]
    assert suggested(draft(), known).get("model.id") == model


def test_a_source_brings_a_model_that_it_has() -> None:
    known = Facts(shape="groups", language="zh", here=frozenset({MINILM, E5}), hubs=True)
    assert suggested(draft(model__source="starter"), known)["model.id"] == "starter-multilingual"
    assert suggested(draft(model__source="modelscope"), known)["model.id"] == "BAAI/bge-small-zh-v1.5"
    assert "model.id" not in suggested(draft(model__source="local"), known)
    assert "model.source" not in suggested(draft(model__source="modelscope", model__id="all-MiniLM-L6-v2"), known)


def test_runs_of_chinese_files_can_be_told_apart() -> None:
    names = [str(suggested(draft(data__train=f"/data/{name}.csv"), FACTS)["name"])
             for name in ("校园问答", "客服对话", "ответы", "вопросы", "繁體", "faq 问答", "很长" * 60)]  # fmt: skip
    assert names[:2] == ["xywd-embedding", "kfdh-embedding"]
    assert len(set(names)) == len(names)
    from tunewiz.presets.preset import NAME

    assert all(NAME.fullmatch(name) for name in names)
