"""What is known of a run: events folded, by a pure function, into one frozen state that both front ends render.

A run's folder may come from a stranger: names in the state (of stages, measures, models, files) are harmless for a
terminal, problems are made so where they are shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce, singledispatch
from itertools import groupby
from typing import Any, Final, Literal

from tunewiz.backends.runs.events import (
    Adjusted,
    Answered,
    Evaluated,
    Event,
    Failed,
    Finished,
    Launched,
    Noticed,
    Probed,
    Progress,
    Sampled,
    Saved,
    Stage,
    Started,
    Stopped,
    Swept,
)
from tunewiz.printable import printable
from tunewiz.printable import printable_name as _name

Status = Literal["waiting", "running", "finished", "failed", "stopped", "lost", "unreadable"]
POINTS: Final = 2048  # of a curve; more than any screen has columns
KEPT: Final = 200  # problems remembered
ROUNDS: Final = 50  # of sample answers remembered
MANY: Final = 1000  # runs of a sweep remembered


@dataclass(frozen=True)
class Curve:
    """A series thinned to at most :data:`POINTS`: each point stands for ``stride`` logged ones."""

    steps: tuple[int, ...] = ()
    values: tuple[float, ...] = ()
    stride: int = 1
    seen: int = 0

    def extended(self, points: Iterable[tuple[int, float]]) -> Curve:
        """This curve with ``points`` (step, value) after it."""
        steps, values, stride, seen = list(self.steps), list(self.values), self.stride, self.seen
        for step, value in points:
            if seen % stride == 0:
                steps.append(step)
                values.append(value)
            seen += 1
            if len(steps) > POINTS:
                steps, values, stride = steps[::2], values[::2], stride * 2
        return Curve(tuple(steps), tuple(values), stride, seen)


@dataclass(frozen=True)
class RunState:
    """A run as it stands. ``values``: the latest number of each name; ``measured``: metrics by when and what.

    ``machine``: curves over seconds since the start, by the names of :class:`Sampled`. ``answers``: rounds of sample
    answers. ``part``: within a stage that goes through another run, ``what/stage``. ``probe``: bytes, ``peak`` of the
    longest batch and the estimate's ``low``, ``expected`` and ``high``; empty before it was tried.
    ``foreseen``: seconds that the stage at hand will take, by what was tried before its first step. ``swept``: the runs
    of a sweep that began, by number, each as it was told of last; ``best``: the number of the best so far.
    """

    name: str = ""
    task: str = ""
    backend: str = ""
    model: str = ""
    pid: int = 0
    status: Status = "waiting"
    stages: tuple[str, ...] = ()
    done: tuple[str, ...] = ()
    stage: str = ""
    part: str = ""
    stage_since: float = 0.0
    #: Step and time from which a stage that is gone on with is paced; ``None`` until it tells its first step.
    paced_from: tuple[int, float] | None = None
    goes_on: bool = False
    #: Stages that were begun, when this one was, when it last told of itself, and seconds of earlier attempts.
    begun: tuple[str, ...] = ()
    stage_begun: float = 0.0
    heard: float = 0.0
    spent: Mapping[str, float] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    step: int = 0
    total: int = 0
    values: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    machine: Mapping[str, Curve] = field(default_factory=dict)
    answers: tuple[Answered, ...] = ()
    measured: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    problems: tuple[Mapping[str, Any], ...] = ()
    saved: tuple[tuple[str, str], ...] = ()
    probe: Mapping[str, float] = field(default_factory=dict)
    foreseen: float = 0.0
    swept: Mapping[int, Swept] = field(default_factory=dict)
    best: int = 0
    verdict: str = ""
    exit_code: int | None = None
    started: float = 0.0
    updated: float = 0.0

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.status not in ("waiting", "running")

    @property
    def why(self) -> Mapping[str, Any] | None:
        """The problem that ended it, where it did not end as it should and that is known."""
        wrong = [problem for problem in self.problems if problem.get("severity") == "error"]
        return wrong[-1] if wrong and self.status in ("failed", "lost", "unreadable") else None

    @property
    def trains(self) -> bool:
        """Whether weights are being trained now, of this run or of the one it goes through."""
        return self.part.endswith("/train") if self.part else self.stage == "train"

    @property
    def remaining(self) -> float | None:
        """Seconds left in this stage at the pace so far, before that as foreseen; ``None`` where neither is known.

        Steps that were made before a stop are not of this pace.
        """
        start, since = (0, self.stage_since) if not self.goes_on else self.paced_from or (self.step, self.updated)
        if self.step <= start or self.total <= self.step or self.updated <= since:
            return self.foreseen or None if self.step <= start else None
        return (self.updated - since) / (self.step - start) * (self.total - self.step)


def fold(state: RunState, events: Iterable[Event]) -> RunState:
    """``state`` after ``events``."""
    points: dict[str, list[tuple[int, float]]] = {}
    latest, sampled = state.updated, []
    # A long run is mostly progress; a stretch of it changes the state once.
    for kind, alike in groupby(events, type):
        stretch = list(alike)
        if kind is Sampled:  # told by who waits: no sign that the child lives
            sampled += stretch
            continue
        for event in stretch:
            _collect(event, points)
            latest = max(latest, event.time)
        state = _progressed(stretch, state) if kind is Progress else reduce(_applied, stretch, state)
    if sampled:
        state = replace(state, machine=_extended(state.machine, _by_seconds(sampled, state.started)))
    if latest == state.updated and not points:
        return state
    return replace(state, updated=latest, curves=_extended(state.curves, points) if points else state.curves)


def _extended(curves: Mapping[str, Curve], points: Mapping[str, list[tuple[int, float]]]) -> Mapping[str, Curve]:
    return {**curves, **{name: curves.get(name, Curve()).extended(new) for name, new in points.items()}}


def _by_seconds(sampled: Iterable[Any], begun: float) -> dict[str, list[tuple[int, float]]]:
    """The samples' numbers by name, each with its whole seconds since the run began."""
    points: dict[str, list[tuple[int, float]]] = {}
    for event in sampled:
        for name, value in _numbers(event.values).items():
            if value is not None:
                points.setdefault(name, []).append((max(0, int(event.time - (begun or event.time))), value))
    return points


def _applied(state: RunState, event: Event) -> RunState:
    return _apply(event, state)


def _progressed(stretch: Sequence[Any], state: RunState) -> RunState:
    values = dict(state.values)
    for event in stretch:
        values.update(_numbers(event.values))
    first, last = stretch[0], stretch[-1]
    paced = state.paced_from or (max(0, first.step), first.time)
    state = replace(state, paced_from=paced, heard=last.time)
    return replace(state, step=max(0, last.step), total=max(0, last.total), part=_name(last.part), values=values)


def _left_off(state: RunState) -> RunState:
    """``state`` as its process leaves it: what the stage that was not ended took counts for it later."""
    if not state.stage_begun:
        return state
    took = max(0.0, state.heard - state.stage_begun) + state.spent.get(state.stage, 0.0)
    return replace(state, spent={**state.spent, state.stage: took}, stage_begun=0.0)


def _numbers(measures: Mapping[str, float]) -> dict[str, float]:
    return {_name(name): value for name, value in measures.items()}


def _collect(event: Event, points: dict[str, list[tuple[int, float]]]) -> None:
    """Gather what belongs on curves: training values, and evaluations during training."""
    if isinstance(event, Progress) and event.stage == "train" and not event.part:
        measures: Mapping[str, float] = event.values
    elif isinstance(event, Evaluated) and event.when == "during":
        measures = event.metrics
    else:
        return
    for name, value in _numbers(measures).items():
        if value is not None:
            points.setdefault(name, []).append((event.step, value))


@singledispatch
def _apply(event: Event, state: RunState) -> RunState:
    return state


@_apply.register
def _(event: Launched, state: RunState) -> RunState:
    return replace(_left_off(state), status="waiting", stage="", exit_code=None, verdict="")


@_apply.register
def _(event: Started, state: RunState) -> RunState:
    task, backend, model = map(_name, (event.task, event.backend, event.model))
    state = replace(_left_off(state), name=_name(event.name), task=task, backend=backend, model=model, pid=event.pid)
    stages, begun = tuple(map(_name, event.stages)), state.started or event.time
    return replace(state, status="running", stages=stages, exit_code=None, verdict="", started=begun)


@_apply.register
def _(event: Stage, state: RunState) -> RunState:
    name = _name(event.name)
    if event.ended:
        done = state.done if name in state.done else (*state.done, name)
        seconds = {**state.seconds, name: event.seconds + state.spent.get(name, 0.0)}
        return replace(state, done=done, seconds=seconds, stage_begun=0.0)
    begun = state.begun if name in state.begun else (*state.begun, name)
    # A run inside the stage has it begin again for each of its own, which is no other attempt.
    since = state.stage_begun if name == state.stage and state.stage_begun else event.time
    state = replace(state, goes_on=name in state.begun, paced_from=None, begun=begun, stage_begun=since)
    return replace(state, stage=name, part="", stage_since=event.time, heard=event.time, step=0, total=0, foreseen=0.0)


@_apply.register
def _(event: Evaluated, state: RunState) -> RunState:
    key = f"{_name(event.when)}:{_name(event.what)}"
    return replace(state, measured={**state.measured, key: _numbers(event.metrics)})


@_apply.register
def _(event: Answered, state: RunState) -> RunState:
    return replace(state, answers=(*state.answers, event)[-ROUNDS:])


@_apply.register
def _(event: Noticed, state: RunState) -> RunState:
    return replace(state, problems=(*state.problems, event.problem)[-KEPT:])


@_apply.register
def _(event: Adjusted, state: RunState) -> RunState:
    return replace(state, done=tuple(name for name in state.done if name not in event.repeat), probe={})


@_apply.register
def _(event: Probed, state: RunState) -> RunState:
    probe = {**_numbers(event.estimate), "peak": event.peak}
    return replace(state, probe=probe, foreseen=event.training)


@_apply.register
def _(event: Swept, state: RunState) -> RunState:
    if not 0 < event.number <= MANY:
        return state
    point, status, values = printable(event.point, 200), _name(event.status), _numbers(event.values)
    told = replace(event, point=point, status=status, values=values)
    return replace(state, swept={**state.swept, event.number: told}, best=event.best)


@_apply.register
def _(event: Saved, state: RunState) -> RunState:
    return replace(state, saved=(*state.saved, (_name(event.what), _name(event.path)))[-KEPT:])


@_apply.register
def _(event: Finished, state: RunState) -> RunState:
    return replace(state, status="finished", stage="", verdict=_name(event.verdict), exit_code=event.exit_code)


@_apply.register
def _(event: Failed, state: RunState) -> RunState:
    state = _left_off(replace(state, heard=max(state.heard, event.time)))
    problems = (*state.problems, *event.problems)[-KEPT:]
    return replace(state, status="failed", exit_code=event.exit_code, problems=problems)


@_apply.register
def _(event: Stopped, state: RunState) -> RunState:
    state = _left_off(replace(state, heard=max(state.heard, event.time)))
    return replace(state, status="stopped", exit_code=event.exit_code)
