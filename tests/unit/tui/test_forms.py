"""What is asked, from the fields alone, and how typed lines are read."""

from __future__ import annotations

from typing import Any

import pytest

from tunewiz.presets import tasks
from tunewiz.presets.drafts.draft import Draft
from tunewiz.tui.forms.entry import complete
from tunewiz.tui.forms.questions import Heading, Question, nearest, questions
from tunewiz.tui.screens.lesson import lesson, topics
from tunewiz.tui.wizard.step import owner, questions_of, steps, steps_for

pytestmark = pytest.mark.usefixtures("in_english")


def draft(**given: object) -> Draft:
    made = Draft()
    for key, value in given.items():
        made = made.answer(tuple(key.split("__")), value)
    return made


def field(key: str, made: Draft | None = None) -> Any:
    return (made or Draft()).field(tuple(key.split(".")))


def test_a_union_is_one_question_with_its_members_as_choices() -> None:
    found = {item.key: item for item in questions(draft(), Draft().paths(), {}) if isinstance(item, Question)}
    assert [choice.value for choice in found["method.type"].choices] == ["full", "lora"]
    assert all(choice.meaning for choice in found["method.type"].choices)
    assert "triplet" in [choice.value for choice in found["loss.name"].choices]
    assert "version" not in found
    assert found["tracking.trackers"].many


def test_every_question_has_help_and_a_reason() -> None:
    made = draft(method__type="lora", loss__name="matryoshka")
    for item in questions(made, made.paths(), {}):
        if isinstance(item, Question):
            assert item.title
            assert item.help()
            assert item.why, item.key


ALL_TASKS = tuple(tasks.catalogue())


@pytest.mark.parametrize("task", ALL_TASKS)
def test_every_key_of_every_method_is_asked_also_of_one_that_nobody_chose(task: str) -> None:
    whole = Draft().answer(("task",), task)
    (chooser,) = [item for item in questions_of(owner(("method",)), whole, True)
                  if isinstance(item, Question) and item.key == "method.type"]  # fmt: skip
    for method in (None, *(choice.value for choice in chooser.choices)):
        made = whole if method is None else whole.answer(("method", "type"), method)
        fields = {path[1] for path in made.paths(("method",))} - {"type"}
        assert "rank" in fields or (task, method) != ("llm", None)
        step = owner(("method",))
        asked = {item.key for item in questions_of(step, made, True) if isinstance(item, Question)}
        assert {f"method.{name}" for name in fields} <= asked
        few = {item.key for item in questions_of(step, made, False) if isinstance(item, Question)}
        assert {f"method.{name}" for name in fields & {"rank", "alpha", "dropout", "tokens", "layers"}} <= few


@pytest.mark.parametrize("task", ALL_TASKS)
def test_no_key_of_a_task_is_left_out_of_the_form(task: str) -> None:
    made = Draft().answer(("task",), task)
    asked = {item.key for step in steps_for(made) for item in questions_of(step, made, True)
             if isinstance(item, Question)}  # fmt: skip
    keys = {".".join(path) for path in made.paths()}
    leaves = {key for key in keys if not any(other.startswith(f"{key}.") for other in keys | asked)}
    assert leaves - asked == {"version"}


def test_keys_belong_to_the_step_that_names_them_most_precisely() -> None:
    assert owner(("data", "train")).name == "data"
    assert owner(("data", "negatives", "per_query")).name == "loss"
    assert owner(("data", "evaluation", "fraction")).name == "evaluation"
    assert owner(("training", "epochs")).name == "method"
    assert owner(("something", "later")).rest


def test_each_simple_key_exists_and_each_step_has_lessons_that_exist() -> None:
    made = draft(method__type="lora", loss__name="multiple_negatives_ranking")
    methods = ("lora", "oft", "freeze", "prefix_tuning")
    others = [draft(task=task, method__type=method) for task in tasks.catalogue() for method in methods]
    for step in steps_for(made):
        assert [item.key for item in questions_of(step, made, False)] or not step.simple  # type: ignore[union-attr]
        for key in step.simple:
            path = tuple(key.split("."))
            # Some keys are of one task only.
            assert made.field(path) or any(other.field(path) for other in others), key
        for topic in step.lessons:
            for language in ("en", "zh"):
                assert lesson(topic, language).text  # type: ignore[arg-type]


def test_lessons_exist_in_both_languages_and_are_short() -> None:
    for topic in topics():
        english, chinese = lesson(topic, "en"), lesson(topic, "zh")
        assert english.title != chinese.title
        assert english.text.count("\n## ") == chinese.text.count("\n## ")
        assert len(english.text.splitlines()) < 60


def test_steps_are_in_order_and_each_is_found_once() -> None:
    orders = [step.order for step in steps()]
    assert orders == sorted(orders)
    assert [step.name for step in steps()] == [
        "task",
        "data",
        "model",
        "method",
        "loss",
        "evaluation",
        "launch",
        "review",
    ]


def test_offers_come_from_what_is_there() -> None:
    from tunewiz.backends.negatives import catalogue
    from tunewiz.data.formats.format import formats

    made = draft(task="embedding")
    found = {
        item.key: item for step in steps() for item in questions_of(step, made, True) if isinstance(item, Question)
    }
    assert [choice.value for choice in found["data.format"].choices] == ["auto", *sorted(formats("embedding"))]
    assert {choice.value for choice in found["data.negatives.strategy"].choices} == {"none", *catalogue()}
    assert [choice.value for choice in found["task"].choices]


def test_a_problem_goes_to_the_question_at_or_below_or_above_its_key() -> None:
    made = draft()
    asked_ = [item for item in questions(made, made.paths(), {}) if isinstance(item, Question)]

    def key(path: str) -> str:
        found = nearest(tuple(path.split(".")), asked_)
        return found.key if found else ""

    assert key("training.epochs") == "training.epochs"
    assert key("loss") == "loss.name"
    assert key("evaluation.k.0") == "evaluation.k"
    assert key("data") == "data.train"


def test_headings_stand_before_their_section() -> None:
    items = list(questions(Draft(), Draft().paths(("training",)), {}))
    heading = next(item for item in items if isinstance(item, Heading))
    assert heading.path == ("training", "early_stopping")


def test_paths_are_completed(tmp_path: Any) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "faq.csv").write_text("", encoding="utf-8")
    assert complete("su", str(tmp_path)) == "sub/"
    assert complete("sub/f", str(tmp_path)) == "sub/faq.csv"
    assert complete(f"{tmp_path}/sub/", "/") == f"{tmp_path}/sub/faq.csv"
    assert complete("sample:faq-e", str(tmp_path)) == "sample:faq-en"
    assert complete("no-such/x", str(tmp_path)) is None
    assert complete("~nobody-here/x", str(tmp_path)) is None
    assert complete("a\0b", str(tmp_path)) is None


async def test_boxes_can_be_read_without_colour() -> None:
    from textual.app import App, ComposeResult
    from textual.widgets.selection_list import Selection

    from tests.screens.waiting import seen
    from tunewiz.tui.forms.controls import Box, Ticks

    class Boxes(App[None]):
        def compose(self) -> ComposeResult:
            yield Box("one", value=True, compact=True)
            yield Box("two", compact=True)
            yield Ticks(Selection("three", "three", True), Selection("four", "four"), compact=True)

    app = Boxes()
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.pause()
        lines = [line.strip() for line in seen(app).splitlines()]
        assert [line for line in lines if line][:4] == ["[x] one", "[ ] two", "[x] three", "[ ] four"]
