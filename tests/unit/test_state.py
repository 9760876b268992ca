"""The fold: what a reader knows of a run after each event."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from backends.runs.events import (
    Evaluated,
    Event,
    Failed,
    Finished,
    Noticed,
    Progress,
    Saved,
    Stage,
    Started,
    Stopped,
)
from backends.runs.state import POINTS, Curve, RunState, fold


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
