"""The draft: answers in, problems or a preset out, nothing lost on the way; and on disk, found again after anything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tunewiz import paths
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.drafts.kept import discard, drafts, fresh, keep
from tunewiz.presets.yaml.library import load, loads
from tunewiz.presets.yaml.writing import dumps
from tunewiz.problems import BadPreset

# The draft: answers in, problems or a preset out, nothing lost on the way.


def answered(**more: object) -> Draft:
    draft = Draft()
    for key, value in {
        "task": "embedding",
        "name": "trial",
        "model.id": "all-MiniLM-L6-v2",
        "data.train": "sample:faq-en",
        "loss.name": "multiple_negatives_ranking",
    }.items():
        draft = draft.answer(tuple(key.split(".")), value)
    for key, value in more.items():
        draft = draft.answer(tuple(key.split("__")), value)
    return draft


def codes(draft: Draft) -> dict[str, str]:
    return {problem.where.key: problem.code for problem in draft.problems()}


def test_an_empty_draft_names_what_is_missing() -> None:
    assert codes(Draft()) == dict.fromkeys(("task", "name", "model.id", "data.train", "loss"), "missing-key")
    assert set(Draft().missing()) == {"task", "name", "model.id", "data.train", "loss"}


def test_answers_become_the_preset_that_their_yaml_gives() -> None:
    preset = answered(training__epochs=3, method__type="lora").preset()
    assert preset == loads(dumps(preset))
    assert preset.training.epochs == 3
    assert answered().missing() == []


def test_a_value_that_does_not_fit_is_kept_and_told() -> None:
    draft = answered(training__epochs="many")
    assert codes(draft) == {"training.epochs": "wrong-value"}
    assert draft.value(("training", "epochs")) == "many"
    with pytest.raises(BadPreset):
        draft.preset()
    assert draft.forget(("training", "epochs")).problems() == []


def test_a_draft_is_not_changed_by_answering() -> None:
    first = answered()
    second = first.answer(("training", "epochs"), 5)
    assert not first.is_answered(("training", "epochs"))
    assert second.is_answered(("training", "epochs"))
    assert "training" not in second.forget(("training", "epochs")).answers


def test_defaults_are_seen_where_nothing_is_answered() -> None:
    draft = Draft()
    assert draft.value(("training", "learning_rate")) == 2e-5
    assert draft.value(("method", "type")) == "full"
    assert draft.value(("data", "evaluation", "fraction")) == 0.1
    assert draft.value(("data", "train")) is None
    assert draft.value(("model", "query_instruction")) is None


def test_going_back_to_a_method_brings_its_options_back() -> None:
    draft = answered(method__type="lora").answer(("method", "rank"), 64)
    full = draft.answer(("method", "type"), "full")
    assert full.problems() == []
    assert full.answers["method"] == {"type": "full"}
    assert full.answer(("method", "type"), "lora").value(("method", "rank")) == 64


def test_options_that_two_losses_share_are_carried_over() -> None:
    draft = answered().answer(("loss", "scale"), 50.0)
    cached = draft.answer(("loss", "name"), "cached_multiple_negatives_ranking")
    assert cached.value(("loss", "scale")) == 50.0
    assert cached.problems() == []
    triplet = cached.answer(("loss", "name"), "triplet")
    assert "scale" not in triplet.answers["loss"]
    assert triplet.problems() == []
    assert triplet.answer(("loss", "name"), "multiple_negatives_ranking").value(("loss", "scale")) == 50.0


def test_suggestions_fill_what_is_open_and_yield_to_answers() -> None:
    draft = answered(method__type="lora").suggest({"training.learning_rate": 1e-4, "loss.scale": 50.0, "no.key": 1})
    assert draft.preset().training.learning_rate == 1e-4
    assert draft.value(("loss", "scale")) == 50.0
    assert draft.answer(("training", "learning_rate"), 3e-5).preset().training.learning_rate == 3e-5
    assert "scale" not in draft.answer(("loss", "name"), "triplet").values["loss"]


def test_an_inner_loss_is_chosen_like_the_outer_one() -> None:
    draft = answered().answer(("loss", "name"), "matryoshka").answer(("loss", "loss", "name"), "triplet")
    assert draft.preset().model_dump()["loss"]["loss"]["name"] == "triplet"


def test_relative_paths_begin_at_the_folder(tmp_path: Path) -> None:
    (tmp_path / "faq.csv").write_text("query,positive\na,b\n", encoding="utf-8")
    draft = Draft(folder=str(tmp_path), answers=answered().answers).answer(("data", "train"), "faq.csv")
    assert draft.preset().model_dump()["data"]["train"] == str(tmp_path / "faq.csv")
    assert draft.value(("data", "train")) == "faq.csv"


def test_a_preset_makes_a_draft_that_makes_it_again() -> None:
    preset = loads(
        "task: embedding\nname: x\nmodel: {id: a/b}\ndata: {train: t.csv}\nmethod: lora\n"
        "loss: {name: matryoshka, loss: triplet, dimensions: [64, 32]}\ntraining: {learning_rate: 3e-5}\n"
    )
    draft = Draft.of(preset)
    assert draft.preset() == preset
    assert not draft.is_answered(("training", "epochs"))


def test_two_choices_of_a_wrong_name_lose_nothing() -> None:
    draft = answered().answer(("loss", "scale"), 30.0).answer(("loss", "name"), "no_such")
    assert codes(draft) == {"loss.name": "unknown-loss"} or codes(draft) == {"loss": "unknown-loss"}
    assert draft.answer(("loss", "name"), "multiple_negatives_ranking").value(("loss", "scale")) == 30.0


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    preset = answered().preset()
    file.write_text(dumps(preset), encoding="utf-8")
    assert load(file) == preset


# Drafts on disk: found again after anything, damaged ones left alone.


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_a_kept_draft_is_found_again_as_it_was() -> None:
    draft = Draft(folder="/somewhere").answer(("data", "train"), "问题.csv").answer(("method", "type"), "lora")
    draft = draft.answer(("method", "rank"), 8).answer(("method", "type"), "full").suggest({"name": "x"})
    kept = keep(replace(fresh(draft), step="data", advanced=True))
    assert drafts() == [kept]
    assert drafts()[0].draft.answer(("method", "type"), "lora").value(("method", "rank")) == 8
    assert drafts()[0].title == "x"


def test_nothing_is_written_before_it_is_kept_and_discarding_twice_is_fine() -> None:
    assert drafts() == []
    kept = keep(fresh(Draft()))
    discard(kept)
    discard(kept)
    assert drafts() == []


def test_the_newest_comes_first_and_two_at_once_have_two_files() -> None:
    first = keep(fresh(Draft().answer(("name",), "one")))
    second = keep(fresh(Draft().answer(("name",), "two")))
    assert first.file != second.file
    assert [kept.title for kept in drafts()] == ["two", "one"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}', '{"version": 1, "answers": []}', "\x00\x01"])
def test_a_damaged_file_hides_no_other_draft(text: str) -> None:
    kept = keep(fresh(Draft()))
    (paths.drafts() / "broken.json").write_text(text, encoding="utf-8")
    assert drafts() == [kept]


# Secrets that were typed, and code that comes with a model.


HF = "hf_QwErTyUiOpAsDfGhJkLzXcVbNm01234567"


def test_a_typed_secret_is_refused_and_never_reaches_the_disk() -> None:
    llm = answered(task="llm", description=f"with {HF}", backend_options={"hub_token": "abcdef", "deep": [{"x": HF}]})
    assert {key for key, code in codes(llm).items() if code == "secret-in-preset"} == {
        "description",
        "backend_options.hub_token",
        "backend_options.deep.0.x",
    }
    assert all(HF not in problem.line("en") and "abcdef" not in problem.line("en") for problem in llm.problems())
    kept = keep(fresh(llm))
    text = kept.file.read_text(encoding="utf-8")
    assert HF not in text and "abcdef" not in text and "(redacted)" in text
    assert drafts()[0].draft.value(("model", "id")) == "all-MiniLM-L6-v2"


def test_code_of_a_model_waits_for_a_yes_that_holds_for_this_model() -> None:
    draft = answered(model__trust_remote_code=True)
    assert draft.asks_trust and codes(draft)["model.trust_remote_code"] in ("remote-code-unconfirmed", "remote-code")
    assert "remote-code-unconfirmed" in {problem.code for problem in draft.problems()}
    said = draft.trust()
    assert not said.asks_trust
    assert "remote-code-unconfirmed" not in {problem.code for problem in said.problems()}
    for key, value in (("id", "other/model"), ("revision", "abc"), ("source", "modelscope")):
        assert said.answer(("model", key), value).asks_trust
    back = said.answer(("model", "id"), "other/model").answer(("model", "id"), "all-MiniLM-L6-v2")
    assert not back.asks_trust
    assert not said.answer(("training", "epochs"), 7).asks_trust
    assert not said.answer(("model", "trust_remote_code"), False).asks_trust
    assert answered().trust().value(("model", "trust_remote_code")) is True


@pytest.mark.parametrize(
    ("said", "asks"), [("yes", True), ("on", True), (1, True), ("no", False), ("off", False), (0, False)]
)
def test_a_yes_in_any_spelling_is_asked_about(said: object, asks: bool) -> None:
    assert answered(model__trust_remote_code=said).asks_trust is asks


def test_the_yes_is_kept_with_the_draft_and_not_with_the_preset() -> None:
    said = answered(model__trust_remote_code=True).trust()
    keep(fresh(said))
    assert drafts()[0].draft.trusted == said.trusted != ""
    assert not drafts()[0].draft.asks_trust
    assert Draft.of(said.preset()).asks_trust
