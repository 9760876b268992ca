"""What the wizard asks, in every task with every engine, method and loss: the whole schema, each key once."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.drafts.kept import fresh
from tunewiz.tui.forms.questions import Question
from tunewiz.tui.plain import Dialogue, Plain
from tunewiz.tui.wizard.step import questions_of, steps_for

pytestmark = pytest.mark.usefixtures("in_english")

ANSWERS: Final = (("backend",), ("method", "type"), ("loss", "name"))
#: What a course asks its students to set, for each of these methods.
EXPECTED: Final = {
    "lora": {"method.rank", "method.alpha", "method.dropout"},
    "qlora": {"method.rank", "method.alpha", "method.dropout"},
    "oft": {"method.block_size"},
    "freeze": {"method.layers"},
    "prompt_tuning": {"method.tokens"},
    "prefix_tuning": {"method.tokens"},
}


def asked(draft: Draft, advanced: bool) -> list[Question]:
    """The questions of all steps, in their order."""
    items = [item for step in steps_for(draft) for item in questions_of(step, draft, advanced)]
    return [item for item in items if isinstance(item, Question)]


def every_way(draft: Draft, left: tuple[tuple[str, ...], ...] = ANSWERS) -> Iterator[Draft]:
    """The draft with every choice that is offered for the keys in ``left``, where they are asked."""
    if not left:
        yield draft
        return
    question = next((one for one in asked(draft, True) if one.path == left[0]), None)
    for choice in question.choices if question else ():
        yield from every_way(draft.answer(left[0], choice.value), left[1:])
    if question is None:
        yield from every_way(draft, left[1:])


@cache
def ways() -> list[Draft]:
    """A draft for each combination of choices that the wizard offers."""
    begun = Draft(folder="/tmp")
    tasks = next(one for one in asked(begun, True) if one.key == "task")
    return [way for task in tasks.choices for way in every_way(begun.answer(("task",), task.value))]


def leaves(draft: Draft) -> set[str]:
    """The keys of the schema that hold a value."""
    keys = {".".join(path) for path in draft.paths()}
    return keys - {key.rpartition(".")[0] for key in keys} - {"version"}


def test_every_key_of_the_schema_is_asked_once_whatever_was_chosen() -> None:
    walked = ways()
    assert len({(way.value(("task",)), way.value(("method", "type"))) for way in walked}) > 12
    for way in walked:
        chosen = [way.value(path) for path in (("task",), *ANSWERS)]
        keys = [question.key for question in asked(way, True)]
        assert len(keys) == len(set(keys)), chosen
        assert set(keys) == leaves(way), chosen


def test_what_a_method_is_known_for_is_asked_without_asking_for_more() -> None:
    met = set()
    for way in ways():
        method = str(way.value(("method", "type")))
        simple = {question.key for question in asked(way, False)}
        assert simple <= {question.key for question in asked(way, True)}
        assert EXPECTED.get(method, set()) <= simple, (way.value(("task",)), method)
        met.add(method)
    assert set(EXPECTED) <= met


@pytest.mark.parametrize("task", ["embedding", "llm", "reranker", "pipeline", "comparison"])
def test_the_plain_questions_are_those_of_the_screen(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("tunewiz.tui.wizard.machine.batch_system", lambda: False)  # no step of the launch
    plain = Plain(Dialogue(io.StringIO(), io.StringIO()), fresh(Draft(folder="/tmp").answer(("task",), task)))
    draft = plain.state.draft
    for advanced in (False, True):
        keys = [question.key for step in steps_for(draft) for question in plain._questions(step, advanced)]
        assert keys == [question.key for question in asked(draft, advanced)]
