"""Events: written and read back, whatever is in them; the fold: what a reader knows of a run after each of many."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunewiz.backends.runs.events import (
    Evaluated,
    Event,
    Failed,
    Finished,
    Launched,
    Noticed,
    Progress,
    Saved,
    Stage,
    Started,
    Stopped,
    Unreadable,
    parse,
)
from tunewiz.backends.runs.follow import DETAILED, EventReader
from tunewiz.backends.runs.state import POINTS, Curve, RunState, fold

# Events: written and read back, whatever is in them.


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


# The fold: what a reader knows of a run after each event.


def started(at: float = 100.0) -> Started:
    return Started(time=at, name="r", task="embedding", backend="sentence_transformers", model="m", pid=1)


def progress(step: int, at: float, total: int = 100, **values: float) -> Progress:
    return Progress(time=at, stage="train", step=step, total=total, values=values)


def test_a_run_from_start_to_verdict() -> None:
    events: list[Event] = [
        started(),
        Stage(time=101, name="prepare"),
        Stage(time=102, name="prepare", ended=True, seconds=1.0),
        Evaluated(time=103, when="before", metrics={"ndcg@10": 0.5}),
        Stage(time=104, name="train"),
        progress(10, 114, loss=2.0, learning_rate=1e-5),
        Evaluated(time=115, when="during", metrics={"eval_loss": 1.5}, what="validation", step=10),
        Noticed(time=116, problem={"code": "too-long"}),
        Saved(time=117, what="checkpoint", path="checkpoints/checkpoint-10"),
        Evaluated(time=118, when="after", metrics={"ndcg@10": 0.6}),
    ]
    state = fold(RunState(), events)
    assert (state.status, state.stage, state.done) == ("running", "train", ("prepare",))
    assert state.curves["loss"] == Curve((10,), (2.0,), 1, 1)
    assert state.curves["eval_loss"].values == (1.5,)
    assert state.measured["before:retrieval"] == {"ndcg@10": 0.5}
    assert state.saved == (("checkpoint", "checkpoints/checkpoint-10"),)
    assert not state.over
    ended = fold(state, [Finished(time=120, verdict="WIN")])
    assert (ended.status, ended.verdict, ended.exit_code, ended.over) == ("finished", "WIN", 0, True)


def test_time_left_goes_by_the_pace_of_the_stage() -> None:
    state = fold(RunState(), [started(), Stage(time=200, name="train"), progress(25, 210)])
    assert state.remaining == 30.0
    assert fold(state, [progress(100, 240)]).remaining is None


def test_ends() -> None:
    failed = fold(RunState(), [started(), Failed(time=101, exit_code=3, problems=({"code": "empty"},))])
    assert (failed.status, failed.exit_code, failed.problems) == ("failed", 3, ({"code": "empty"},))
    stopped = fold(RunState(), [started(), Stopped(time=101)])
    assert (stopped.status, stopped.exit_code) == ("stopped", 130)


def test_a_resumed_run_is_running_again_and_keeps_its_curves() -> None:
    before = fold(RunState(), [started(), progress(1, 101, loss=3.0), Stopped(time=102)])
    after = fold(before, [started(200), progress(2, 201, loss=2.0)])
    assert (after.status, after.exit_code, after.started) == ("running", None, 100.0)
    assert after.curves["loss"].steps == (1, 2)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=30))
def test_folding_in_any_portions_is_the_same(portions: list[int]) -> None:
    events: list[Event] = [started(), *(progress(step, 100 + step, loss=float(step)) for step in range(3000))]
    whole = fold(RunState(), events)
    state, at = RunState(), 0
    for portion in portions:
        state, at = fold(state, events[at : at + portion]), at + portion
    assert fold(state, events[at:]) == whole


def test_a_curve_stays_small_and_keeps_its_ends() -> None:
    curve = Curve().extended((step, float(step)) for step in range(100_000))
    assert len(curve.steps) <= POINTS
    assert curve.steps[0] == 0
    assert curve.steps[-1] >= 100_000 - 2 * curve.stride
    assert all(later - earlier == curve.stride for earlier, later in zip(curve.steps, curve.steps[1:], strict=False))


def test_a_run_within_is_told_but_draws_no_curve() -> None:
    inner = Progress(time=3.0, stage="prepare", step=2, total=9, values={"loss": 1.0}, part="embedding/train")
    state = fold(RunState(), [Stage(time=1.0, name="prepare"), inner])
    assert (state.part, state.trains, state.values["loss"]) == ("embedding/train", True, 1.0)
    assert not state.curves
    measuring = fold(state, [replace(inner, stage="train", part="bm25/baseline")])
    assert not measuring.trains
    assert not fold(state, [Stage(time=4.0, name="train")]).part


# Opening a run with very many events: all that matters is read, progress is sampled.


def write(file: Path, count: int) -> None:
    with file.open("w", encoding="utf-8") as stream:
        stream.write(Stage(name="train").line() + "\n")
        for step in range(1, count + 1):
            values = {"loss": 1 / step, "learning_rate": 1e-5}
            stream.write(Progress(stage="train", step=step, total=count, values=values).line() + "\n")
            if step % 1000 == 0:
                stream.write(Evaluated(when="during", metrics={"eval_loss": 1.0}, step=step).line() + "\n")
                stream.write(Saved(what="checkpoint", path=f"checkpoint-{step}").line() + "\n")
        stream.write(Noticed(problem={"code": "last"}).line() + "\n")


def test_a_long_backlog_is_sampled_and_nothing_else_is_lost(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    count = DETAILED * 8
    write(file, count)
    reader = EventReader(file)
    events = reader.read()
    progress = [event for event in events if isinstance(event, Progress)]
    assert DETAILED / 2 < len(progress) < DETAILED * 2
    assert len([event for event in events if isinstance(event, Saved)]) == count // 1000
    assert isinstance(events[-1], Noticed)
    state = fold(RunState(), events)
    assert state.step == count
    assert len(state.curves["eval_loss"].steps) == count // 1000
    steps = [event.step for event in progress]
    assert steps == sorted(steps)
    assert max(later - earlier for earlier, later in pairwise(steps)) <= 2 * count // DETAILED


def test_what_comes_after_the_backlog_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    write(file, DETAILED * 8)
    reader = EventReader(file)
    reader.read()
    with file.open("a", encoding="utf-8") as stream:
        for step in range(100):
            stream.write(Progress(stage="train", step=step, total=9).line() + "\n")
        stream.write('{"event":"prog')
    assert len(reader.read()) == 100
    with file.open("a", encoding="utf-8") as stream:
        stream.write('ress","stage":"train","step":5,"total":9}\n')
    assert [event.step for event in reader.read() if isinstance(event, Progress)] == [5]


def test_a_short_run_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    write(file, 2000)
    assert len([event for event in EventReader(file).read() if isinstance(event, Progress)]) == 2000


def test_what_was_done_before_a_stop_counts_as_time_and_not_as_pace() -> None:
    stage = Stage(time=100.0, name="train")
    stopped = fold(RunState(), [stage, progress(50, 200), Stopped(time=260.0)])
    again = [Launched(time=9000.0), Stage(time=9010.0, name="train"), progress(51, 9020)]
    state = fold(stopped, again)
    assert state.remaining is None  # one point is no pace
    state = fold(state, [progress(61, 9040)])
    assert state.remaining == pytest.approx(2.0 * (state.total - 61))
    ended = fold(state, [Stage(time=9100.0, name="train", ended=True, seconds=90.0)])
    assert ended.seconds["train"] == pytest.approx(160.0 + 90.0)


def test_a_stage_that_was_killed_counts_until_it_was_last_heard_of() -> None:
    state = fold(RunState(), [Stage(time=100.0, name="train"), progress(50, 200)])
    ended = fold(state, [Launched(time=500.0), Stage(time=510.0, name="train"),
                         Stage(time=540.0, name="train", ended=True, seconds=30.0)])  # fmt: skip
    assert ended.seconds["train"] == pytest.approx(100.0 + 30.0)
