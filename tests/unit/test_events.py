"""Events: written and read back, whatever is in them."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.runs.events import (
    Evaluated,
    Failed,
    Noticed,
    Progress,
    Saved,
    Stage,
    Started,
    Stopped,
    Unreadable,
    parse,
)

names = st.text(max_size=20)
numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(step=st.integers(0, 10**9), values=st.dictionaries(names, numbers, max_size=5), stage=names)
def test_progress_survives_the_file(step: int, values: dict[str, float], stage: str) -> None:
    event = Progress(stage=stage, step=step, total=step, values=values)
    line = event.line()
    assert "\n" not in line
    assert parse(line) == event


@pytest.mark.parametrize(
    "event",
    [
        Started(name="a", task="embedding", backend="b", model="m", pid=7),
        Stage(name="train", ended=True, seconds=1.5),
        Evaluated(when="before", metrics={"ndcg@10": 0.5}),
        Noticed(problem={"code": "x", "message": "换行\n和\x1b[31m"}),
        Saved(what="model", path="model"),
        Failed(exit_code=3, problems=({"code": "x"},)),
        Stopped(checkpoint="checkpoints/checkpoint-3"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_each_kind_survives_the_file(event: object) -> None:
    assert parse(event.line()) == event  # type: ignore[attr-defined]


def test_numbers_that_json_lacks_become_null() -> None:
    line = Progress(stage="train", step=1, total=2, values={"loss": math.nan, "lr": math.inf}).line()
    assert json.loads(line)["values"] == {"loss": None, "lr": None}


@pytest.mark.parametrize("line", ["", "{", "[]", "7", '{"event":"progress"}', '{"event":["x"]}', '{"kind":"progress"}'])
def test_damaged_lines_are_named_as_such(line: str) -> None:
    with pytest.raises(Unreadable):
        parse(line)


def test_events_of_a_newer_version_are_skipped() -> None:
    assert parse('{"event":"celebrated","time":1}') is None
    assert parse('{"event":"saved","time":1.0,"what":"model","path":"m","colour":"red"}') == Saved(
        time=1.0, what="model", path="m"
    )
