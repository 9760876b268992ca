"""``tunewiz keys``: nothing of the schema is missing, and what it says is what the schema says."""

from __future__ import annotations

import json

import pytest

from tunewiz.presets import tasks
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.yaml import fields
from tunewiz.problems import BadPreset
from tunewiz.tui.commands.keys import reference, run_keys

pytestmark = pytest.mark.usefixtures("in_english")


@pytest.mark.parametrize("task", list(tasks.catalogue()))
def test_every_key_that_a_preset_may_hold_is_there_whatever_is_chosen(task: str) -> None:
    there = {one.question.key for one, _names in reference([task])}
    plain = Draft(answers={"task": task})
    drafts = [plain]
    for path in plain.paths():
        info = plain.field(path)
        if info is not None and fields.section_of(info.annotation, plain.value(path)):
            drafts += [plain.answer((*path, fields.chooser(info)), one) for one in fields.choices_of(info)]
    for draft in drafts:
        for path in draft.paths():
            info = draft.field(path)
            if info is not None and not fields.section_of(info.annotation, draft.value(path)):
                assert ".".join(path) in there or path[-1] in fields.CHOOSERS, path


def test_a_key_says_what_it_takes_its_default_and_what_it_goes_with(capsys: pytest.CaptureFixture[str]) -> None:
    run_keys(["method.rank"], "llm", markdown=False, as_json=False)
    told = capsys.readouterr().out
    assert (
        "Takes a whole number from 1 to 1024." in told and "Default: 8" in told and "With: method: lora, qlora" in told
    )
    run_keys(["WARM"], "", markdown=False, as_json=True)
    (found,) = json.loads(capsys.readouterr().out)
    assert found["key"] == "training.warmup" and found["tasks"] == list(tasks.catalogue())
    run_keys((), "embedding", markdown=True, as_json=False)
    assert "### `evaluation.k`" in capsys.readouterr().out
    run_keys((), "", markdown=False, as_json=False)
    assert "all but llm" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "task", "fix"), [(["epoochs"], "", "epochs"), ([], "lmm", "llm")])
def test_what_is_not_there_is_told_with_what_may_be_meant(words: list[str], task: str, fix: str) -> None:
    with pytest.raises(BadPreset) as caught:
        run_keys(words, task, markdown=False, as_json=False)
    (problem,) = caught.value.problems
    assert problem.fix is not None and fix in problem.fix.text()
