"""What the wizard finds out in the background, without a screen."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from tunewiz.errand import ErrandFailed, GivenUp, send
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.preset import Preset
from tunewiz.presets.yaml.library import loads
from tunewiz.problems import BadData, Problem, say
from tunewiz.tui.forms.questions import Question
from tunewiz.tui.wizard.inspecting import examine, inspection_request, on_screen
from tunewiz.tui.wizard.machine import Pace, look, time_line
from tunewiz.tui.wizard.step import State, owner, questions_of
from tunewiz.tui.wizard.steps.method import layers
from tunewiz.tui.wizard.steps.model import take_source

pytestmark = pytest.mark.usefixtures("in_english")


def draft(**given: object) -> Draft:
    made = Draft(folder=str(Path.cwd())).suggest({"task": "embedding"})
    for key, value in given.items():
        made = made.answer(tuple(key.split("__")), value)
    return made


def test_what_decides_on_the_data_is_asked_and_nothing_else() -> None:
    first = inspection_request(draft(data__train="sample:faq-en"))
    assert first is not None
    assert first == inspection_request(draft(data__train="sample:faq-en", training__epochs="not a number", name="?"))
    assert first != inspection_request(draft(data__train="sample:faq-en", data__limit=10))
    assert first != inspection_request(draft(data__train="sample:faq-en", data__evaluation__fraction=0.5))
    assert inspection_request(draft()) is None
    assert inspection_request(draft(data__train="x.csv", data__limit="many")) is None


def test_data_that_cannot_be_used_is_a_problem_of_the_draft_everywhere(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("question,answer\n", "utf-8")
    for name in ("nowhere.csv", "empty.csv"):
        state = State(draft(data__train=str(tmp_path / name)))
        assert state.asked is not None
        state = replace(state, inspected=examine(state.asked))
        (problem,) = [one for one in state.problems if one.where.key == "data.train"]
        assert (problem.severity, problem.code) == ("error", "data-unusable")
        assert problem in state.problems_of(owner(("data", "train")))
    good = State(draft(data__train="sample:faq-en"))
    assert good.asked is not None
    assert not [one for one in replace(good, inspected=examine(good.asked)).problems if one.code == "data-unusable"]


def test_relative_paths_are_looked_for_from_the_drafts_folder(tmp_path: Path) -> None:
    made = Draft(folder=str(tmp_path)).suggest({"task": "embedding"}).answer(("data", "train"), "faq.csv")
    asked = inspection_request(made.answer(("data", "evaluation", "data"), "test.csv"))
    assert asked is not None
    assert asked.train == str(tmp_path / "faq.csv")
    assert asked.plan is not None
    assert asked.plan.evaluation is not None
    assert asked.plan.evaluation.path == str(tmp_path / "test.csv")


def test_a_sample_is_understood_and_split() -> None:
    asked = inspection_request(draft(data__train="sample:faq-en"))
    assert asked is not None
    found = examine(asked)
    assert found.inspection.usable
    assert found.counts["train"] == 460
    assert found.counts["evaluation_queries"] == 220
    assert (found.facts.shape, found.facts.language, found.facts.rows) == ("groups", "en", 460)


def test_missing_data_is_a_finding_and_no_error() -> None:
    asked = inspection_request(draft(data__train="no-such-file.csv"))
    assert asked is not None
    found = examine(asked)
    assert not found.inspection.usable
    assert [finding.code for finding in found.inspection.findings] == ["file-not-found"]


def test_an_errand_answers_from_a_child() -> None:
    assert send("os:getpid") != __import__("os").getpid()


def test_an_errands_problems_come_back_as_problems() -> None:
    with pytest.raises(ErrandFailed) as fault:
        send("tunewiz.data.reading.source:resolve", "sample:no-such")
    assert fault.value.problems[0].code == "unknown-sample"
    assert isinstance(fault.value, BadData) is False


def test_an_errand_that_breaks_says_so_in_one_line() -> None:
    with pytest.raises(ErrandFailed) as fault:
        send("os:listdir", 7.5)
    assert fault.value.problems[0].code == "errand-failed"
    assert "TypeError" in fault.value.problems[0].line("en")


def test_an_errand_nobody_waits_for_is_killed() -> None:
    begun = time.monotonic()
    with pytest.raises(GivenUp):
        send("time:sleep", 600, unwanted=lambda: True)
    assert time.monotonic() - begun < 60


def test_the_machine_is_looked_at_without_a_gpu_or_network() -> None:
    machine = look()
    assert machine.memory_free > 0
    assert machine.disk_free > 0


def preset(**training: object) -> Preset:
    options = ", ".join(f"{key}: {value}" for key, value in training.items())
    return loads(
        "task: embedding\nname: x\nmodel: {id: all-MiniLM-L6-v2}\ndata: {train: t.csv}\n"
        f"loss: multiple_negatives_ranking\ntraining: {{{options}}}\n"
    )


def test_time_is_told_by_an_earlier_run_of_the_same_model_or_not_at_all() -> None:
    pace = Pace("faq-1", "sentence-transformers/all-MiniLM-L6-v2", "full", tokens=1000 * 2 * 128, train=100, rest=20)
    made = Draft.of(preset(epochs=2, batch_size=10, max_length=128))
    assert time_line(made, 1000, (pace,))[0][0] == "Time: about 3m 40s, at the pace of faq-1"
    unknown = "Time: estimated after the start"
    assert time_line(made, 1000, ())[0][0] == unknown
    assert time_line(made, 0, (pace,))[0][0] == unknown
    of_open_epochs = time_line(Draft.of(preset(batch_size=10, max_length=128)), 1000, (pace,))[0][0]
    assert "at the pace of" not in of_open_epochs
    lora = made.answer(("method", "type"), "lora")
    assert time_line(lora, 1000, (pace,))[0][0] == unknown


def test_layers_are_those_of_the_models_own_files(tiny_encoder: Path, tiny_llm: Path) -> None:
    bert = draft(model__id=str(tiny_encoder), model__source="local", method__type="lora")
    (asked,) = [one for one in questions_of(owner(("method",)), bert, True)
                if isinstance(one, Question) and one.key == "method.target_modules"]  # fmt: skip
    assert [choice.value for choice in asked.choices] == ["all", "query", "key", "value", "dense"]
    assert asked.many
    assert asked.stands_alone("all")
    assert not asked.stands_alone("query")
    chat = draft(task="llm", model__id=str(tiny_llm), model__source="local", method__type="lora")
    assert layers(str(tiny_llm), "local", "")[:4] == ("q_proj", "k_proj", "v_proj", "o_proj")
    kept = chat.answer(("method", "target_modules"), ["q_proj", "unheard_of"])
    offered = owner(("method",)).offers()["method.target_modules"](kept)
    assert [choice.value for choice in offered][-1] == "unheard_of"
    assert layers("nobody/knows-it", "auto", "") == ()


def test_a_source_forgets_a_model_that_it_does_not_have() -> None:
    made = draft(model__id="BAAI/bge-small-zh-v1.5")
    assert not take_source(made, "starter").is_answered(("model", "id"))
    assert take_source(made, "modelscope").is_answered(("model", "id"))
    assert not take_source(made, "local").is_answered(("model", "id"))
    assert take_source(draft(model__id="/models/mine"), "local").is_answered(("model", "id"))


def test_roles_are_called_on_the_screen_as_beside_their_lists() -> None:
    used = (say("{role} = {columns}", role="query", columns="提问"), say("{role} = {columns}", role="its", columns="b"))
    guessed = say("Guessed, please check: {format} with {used}.", format="pairs", used=used)
    told = on_screen(Problem("warning", "columns-uncertain", guessed)).message
    assert told.text("zh") == "以下为猜测，请核对：查询 ← 提问、its ← b。"
    assert guessed.text("en") == "Guessed, please check: pairs with query = 提问, its = b."
