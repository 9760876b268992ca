"""What a typed text means where a field takes something, and a value as a line that means it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import Field

from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.yaml.library import dumps, loads
from tunewiz.presets.yaml.typed import read, write


def annotation(key: str, task: str = "embedding") -> Any:
    field = Draft(answers={"task": task}).field(tuple(key.split(".")))
    assert field is not None
    return field.annotation


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("training.epochs", "3", 3),
        ("training.learning_rate", "2e-5", 2e-5),
        ("training.epochs", "many", "many"),
        ("training.epochs", "[", "["),
        ("data.train", "0123.csv", "0123.csv"),
        ("data.train", " a b.csv", " a b.csv"),
        ("data.limit", "null", None),
        ("data.limit", "1000", 1000),
        ("model.query_instruction", '"query: "', "query: "),
        ("model.query_instruction", '""', ""),
        ("model.query_instruction", "null", None),
        ("evaluation.k", "1, 3, 10", [1, 3, 10]),
        ("evaluation.k", "[1, 3]", [1, 3]),
        ("tracking.trackers", "wandb", ["wandb"]),
        ("data.columns", "query=问题, positive=答案", {"query": "问题", "positive": "答案"}),
        ("data.columns", 'query="a, b"', {"query": "a, b"}),
        ("data.columns", "nonsense", "nonsense"),
        ("data.evaluation.validation_fraction", "auto", "auto"),
        ("data.evaluation.validation_fraction", "0.1", 0.1),
        ("data.train", "x\ud800y", "x?y"),
    ],
)
def test_the_field_decides_what_a_text_means(key: str, text: str, value: object) -> None:
    assert read(text, annotation(key)) == value


Words = Literal["all"] | list[str]


@pytest.mark.parametrize(
    ("takes", "text", "value"),
    [
        # Spaces around, also those of a Chinese keyboard, and a tab at the end of a pasted number.
        (float, " 3\t", 3),
        (float, "\u30003", 3),
        # Parts of YAML that presets do not use are no values: an alias is not "", nor a tag dropped.
        (float, "*a", "*a"),
        (float, "!!int 3", "!!int 3"),
        (int, "{a: 1, a: 2}", "{a: 1, a: 2}"),
        # Quotes count around the whole text only.
        (str, '"a: b"', "a: b"),
        (str, "'it''s'", "it's"),
        (str, '"a" b', '"a" b'),
        (str, '"x', '"x'),
        (str, "'a': b", "'a': b"),
        (str, "it's", "it's"),
        (str, '"\\x"', '"\\x"'),
        # Null is text where only text is taken.
        (str, "null", "null"),
        (str | None, " ~ ", None),
        (str | None, '"null"', "null"),
        (list[str] | None, "null", None),
        (list[str] | None, "", None),
        (list[str], "null", ["null"]),
        (list[str], "", []),
        # Items that are text stay text; commas of either keyboard part them, those in quotes do not.
        (list[str], "0, 1", ["0", "1"]),
        (list[str], "[0, true, null]", ["0", "true", "null"]),
        (list[str], "体育，财经", ["体育", "财经"]),
        (list[str], "*proj, a: b, #1", ["*proj", "a: b", "#1"]),
        (list[str], "\"a, b\", 'c', it's, its'", ["a, b", "c", "it's", "its'"]),
        (list[str], "the '90s, the '80s", ["the '90s", "the '80s"]),
        (list[str], "a,,b,", ["a", "b"]),
        (list[str], "[a", "[a"),
        (list[Annotated[int, Field(ge=1)]], "1，3", [1, 3]),
        (list[int], '"1", x', ["1", "x"]),
        (Words, "all", "all"),
        (Words, '"all"', ["all"]),
        (Words, "all, q_proj", ["all", "q_proj"]),
        # Names with text, as pairs or as YAML; what follows a comma without a name belongs to the value before.
        (dict[str, str], "", {}),
        (dict[str, str], "query=0, positive=null", {"query": "0", "positive": "null"}),
        (dict[str, str], "{query: 0, positive: 010}", {"query": "0", "positive": "010"}),
        (dict[str, str], "query: 问题, positive: 答案", {"query": "问题", "positive": "答案"}),
        (dict[str, str], "query：问题，positive：答案", {"query": "问题", "positive": "答案"}),
        (dict[str, str], "positive=title, body, query=q", {"positive": "title, body", "query": "q"}),
        (dict[str, str], "positive='title, body',query=q", {"positive": "title, body", "query": "q"}),
        (dict[str, str], "url=http://x/y, note=a: b", {"url": "http://x/y", "note": "a: b"}),
        (dict[str, str], "a: b=c", {"a": "b=c"}),
        (dict[str, str], '"a=b"=c', {"a=b": "c"}),
        (dict[str, str], "a=1, a=2", "a=1, a=2"),
        (dict[str, str], "=x", "=x"),
        (dict[str, str], "x:y", "x:y"),
        (dict[str, str], "{a: b", "{a: b"),
        (dict[str, Any], "use_muon=true, n=3, name=a", {"use_muon": True, "n": 3, "name": "a"}),
        (dict[str, Any], "{x: [1, a], y: {z: 0.5}}", {"x": [1, "a"], "y": {"z": 0.5}}),
        (bool, "Yes", True),
        (bool, "off", False),
        (bool, "0", False),
        (bool, "是", True),
        (bool, "maybe", "maybe"),
        (Literal["auto", "yes", "no"], "yes", "yes"),
        (Literal[4, 8], "8", 8),
        (str, "a\x07b", "a?b"),
        (Any, "3", 3),
        (Any, "[1, x]", [1, "x"]),
    ],
)
def test_what_a_person_means_by_a_text(takes: Any, text: str, value: object) -> None:
    found = read(text, takes)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("training.learning_rate", 1e-4),
        ("data.train", "a: b #c"),
        ("data.train", "it's"),
        ("data.train", "'quoted'"),
        ("model.query_instruction", "query: "),
        ("model.query_instruction", ""),
        ("model.query_instruction", "null"),
        ("model.query_instruction", "Instruct: x\nQuery: "),
        ("model.passage_instruction", "\u202eevil"),
        ("evaluation.k", [1, 5]),
        ("data.columns", {"query": "a,b", "positive": 'say "x"', "negative": "c=d"}),
        ("data.columns", {}),
        ("method.target_modules", "all"),
        ("method.target_modules", ["all"]),
    ],
)
def test_a_line_is_read_back_as_the_value(key: str, value: object) -> None:
    takes = Words if key == "method.target_modules" else annotation(key)
    shown = write(value, takes)
    assert shown.isprintable()
    assert (read(shown, takes) if shown else value) == value


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=40)
SCALAR = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9) | TEXT


@given(TEXT.filter(bool))
def test_any_text_is_shown_printably_and_read_back(text: str) -> None:
    for takes in (str, str | None):
        shown = write(text, takes)
        assert shown.isprintable()
        assert read(shown, takes) == text


@given(st.lists(TEXT, max_size=4))
def test_any_list_of_texts_is_read_back(texts: list[str]) -> None:
    for takes in (list[str], list[str] | None, Words):
        shown = write(texts, takes)
        assert shown.isprintable()
        assert read(shown, takes) == texts


@given(st.dictionaries(TEXT.filter(bool), TEXT, max_size=4))
@example({": ": ""})
@example({"1_": "0_", "1__0": "1_e5"})
@example({"=": "=", '"': ": "})
@example({"a: b=c": "d, e=f"})
def test_any_mapping_of_texts_is_read_back(texts: dict[str, str]) -> None:
    shown = write(texts, dict[str, str])
    assert shown.isprintable()
    assert read(shown, dict[str, str]) == texts


@given(st.dictionaries(st.from_regex(r"[a-z_]+", fullmatch=True), SCALAR | st.lists(SCALAR, max_size=3), max_size=3))
def test_any_options_are_read_back(options: dict[str, Any]) -> None:
    assert read(write(options, dict[str, Any]), dict[str, Any]) == options


@given(st.text(max_size=30))
def test_no_text_is_too_odd_to_be_read(text: str) -> None:
    for takes in (
        str,
        str | None,
        float,
        bool,
        list[str],
        list[int] | None,
        Words,
        dict[str, str],
        dict[str, Any],
        Any,
    ):
        read(text, takes)


@pytest.mark.parametrize("text", ["a" + " " * 50_000 + "b", " '" * 30_000, "'" * 50_001, "a, " * 30_000, ":" * 50_000])
def test_long_text_is_read_without_going_back_and_forth(text: str) -> None:
    assert read(text, str | None) == text
    assert "".join(read(text, list[str])).replace(" ", "") == text.replace(" ", "").replace(",", "")
    assert isinstance(read(text, dict[str, str]), (str, dict))


def test_characters_that_no_file_can_hold_do_not_spoil_a_preset() -> None:
    text = "name: x\ntask: embedding\nmodel: {id: a/b}\ndata: {train: x.csv}\nloss: triplet\n"
    preset = loads(text, "x.yaml", ["description=a\x07b\udc80c", "data.columns.query=\x01"])
    assert (preset.description, loads(dumps(preset))) == ("a?b?c", preset)
