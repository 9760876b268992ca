"""``--set``, the form and ``--plain`` take the same text for the same value, whatever the field takes."""

from __future__ import annotations

import io
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.widgets import Input, OptionList

from tests.screens.waiting import until
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.drafts.kept import fresh
from tunewiz.presets.yaml.overriding import override
from tunewiz.presets.yaml.tree import Tree
from tunewiz.problems import BadPreset
from tunewiz.tui.commands.options import pairs, with_data
from tunewiz.tui.forms.controls import Answered, Cards, Pick
from tunewiz.tui.forms.entry import Entry
from tunewiz.tui.forms.questions import Question, questions
from tunewiz.tui.plain import Dialogue, Left, Plain
from tunewiz.tui.terminal.looks import LooksApp, Settings
from tunewiz.tui.widgets.pulldown import Pulldown

pytestmark = pytest.mark.usefixtures("in_english")

#: For each task, how its preset begins, and keys of every kind that is typed.
TASKS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "embedding": (
        {"task": "embedding", "method": {"type": "lora"}},
        (
            "name", "model.revision", "data.train", "data.limit", "model.query_instruction", "data.columns",
            "data.delimiter", "data.evaluation.validation_fraction", "data.evaluation.data", "evaluation.k",
            "training.epochs", "training.max_steps", "launch.processes", "method.target_modules", "method.alpha",
        ),
    ),
    "llm": (
        {"task": "llm", "method": {"type": "qlora"}},
        (
            "data.labels", "data.system", "data.placeholders", "backend_options", "method.loraplus_ratio",
            "training.learning_rate", "template",
        ),
    ),
}  # fmt: skip
TEXTS = (
    "3", " 3 ", "3\t", "\u30003", "1_000", "1e3", "2e-5", "010", ".5", "-1", "abc", "null", "~", "Null", "true", "yes",
    "auto", " auto ", "all", "'x'", '"x"', '"x', "it's", '"a" b', "'a': b", "a: b", "a=b", "a=b, c=d", "a=1, b",
    'a="b, c"', "a='b, c'", "{a: b}", "{a: 1}", "{a: b", "[1, 2]", "[1", "1, 2", "1", "a, b", "[a, b]", "a, 'b, c'",
    "x: y, z", "*a", "&a b", "!!int 3", "# x", "a # b", "x\ud800y", "a\x07b", "- a", "?", "@x", "%x", "`x`", "{}", "[]",
    '""', "a,,b", ",", "0.1", "1，2", "null, x", "true, false", "{a: b, a: c}", "$HOME", "~/x", "C:\\x",
)  # fmt: skip


def by_set(start: dict[str, Any], key: str, text: str) -> Any:
    """What stands at ``key`` after ``--set KEY=TEXT``."""
    draft = Draft(answers=start)
    tree = Tree(value=deepcopy(start))
    assert override(tree, [f"{key}={text}"], draft.kind) == []
    return tree.node(tuple(key.split(".")))


class Typing(App[None]):
    """The inputs of a few questions, and what they answered last."""

    def __init__(self, asked: list[Question], draft: Draft) -> None:
        super().__init__()
        self.entries = {question.key: Entry(question, draft) for question in asked}
        self.answers: dict[str, Any] = {}

    def compose(self) -> ComposeResult:
        yield from self.entries.values()

    def on_answered(self, event: Answered) -> None:
        self.answers[".".join(event.path)] = event.value


def asked(start: dict[str, Any], keys: tuple[str, ...]) -> tuple[Draft, list[Question]]:
    draft = Draft(answers=start)
    paths = [tuple(key.split(".")) for key in keys]
    return draft, [item for item in questions(draft, paths, {}) if isinstance(item, Question)]


@pytest.mark.parametrize("task", TASKS)
async def test_the_form_takes_what_set_takes(task: str) -> None:
    start, keys = TASKS[task]
    draft, found = asked(start, keys)
    assert [question.key for question in found] == list(keys)
    app = Typing(found, draft)
    async with app.run_test() as pilot:
        for text in TEXTS:
            app.answers = {}
            for entry in app.entries.values():
                entry.query_one(Input).value = text
            await until(pilot, lambda: len(app.answers) == len(keys))
            for key in keys:
                wanted = by_set(start, key, text)
                assert (type(app.answers[key]), app.answers[key]) == (type(wanted), wanted), f"{key}={text}"


@pytest.mark.parametrize("task", TASKS)
def test_the_plain_wizard_takes_what_set_takes(task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    start, keys = TASKS[task]
    draft, found = asked(start, keys)
    plain = Plain(Dialogue(io.StringIO(), io.StringIO()), fresh(draft))
    for text in (" query: ", "query=问题, 0", "*a"):
        for question in found:
            plain.dialogue = Dialogue(io.StringIO(f"{text}\n"), io.StringIO())
            with suppress(Left):  # what does not fit is asked again
                plain._question(question)
            assert plain.kept.draft.value(question.path) == by_set(start, question.key, text), f"{question.key}={text}"


@pytest.mark.parametrize(("control", "roomy"), [(Pick, False), (Cards, True)])
async def test_a_number_that_is_picked_is_a_number(control: type[Pick] | type[Cards], roomy: bool) -> None:
    draft, (question,) = asked(TASKS["llm"][0], ("method.bits",))

    class Picking(LooksApp):
        answer: Any = None

        def compose(self) -> ComposeResult:
            yield control(question, draft)

        def on_answered(self, event: Answered) -> None:
            self.answer = event.value

    app = Picking(Settings())
    async with app.run_test() as pilot:
        if roomy:
            app.query_one(OptionList).focus()
            await until(pilot, lambda: app.query_one(OptionList).highlighted == 0)
            await pilot.press("down", "enter")
        else:
            assert app.query_one(Pulldown).value == "4"
            app.query_one(Pulldown).choose("8")
        await until(pilot, lambda: app.answer is not None)
        assert app.answer == 8
    assert by_set(TASKS["llm"][0], "method.bits", "8") == 8


def test_map_takes_pairs_and_what_it_takes_stands_in_the_preset() -> None:
    assert pairs(["query=问题", 'positive="title, body", negative=x']) == {
        "query": "问题", "positive": "title, body", "negative": "x",
    }  # fmt: skip
    for text in ("query", "=x", "query=", "{query: [a]}", ""):
        with pytest.raises(BadPreset, match="ROLE=COLUMN"):
            pairs([text])
    start = TASKS["embedding"][0]
    for train in ("it's, a: b #c.csv", " x", '"q".csv', "null", "", "a\\b"):
        (setting,) = with_data([], [train], [])
        key, _, text = setting.partition("=")
        assert by_set(start, key, text) == train
    (_, setting) = with_data([], ["x"], ['"a=b"=c', "query=0"])
    key, _, text = setting.partition("=")
    assert by_set(start, key, text) == {"a=b": "c", "query": "0"}
