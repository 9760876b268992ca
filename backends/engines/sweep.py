"""The backend of sweeps and variants: a run for each, laid out as any run in ``variants/<point>/``, and one page.

Each point is a run of its own processes, so that its memory is free before the next one, and on several GPUs they go
on beside each other. The one that measured best on the validation data becomes the run's: model, data and measures.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from subprocess import Popen
from typing import Any, ClassVar, Final

from tunewiz.backends.engines import Backend, find_engine
from tunewiz.backends.machine.places import until_in_line, wish
from tunewiz.backends.models.run_models import VARIANTS
from tunewiz.backends.readiness import why_left_out
from tunewiz.backends.reports.sweep_report import Tried, choose, run_of, tried, write_sweep
from tunewiz.backends.runs.create import add_to_record
from tunewiz.backends.runs.events import Evaluated, Failed, Progress, Saved, Stage, Swept
from tunewiz.backends.runs.follow import Follower, read_state
from tunewiz.backends.runs.launching import TURN, launch
from tunewiz.backends.runs.process import alive
from tunewiz.backends.runs.run import Run, StopRequested
from tunewiz.backends.runs.state import RunState
from tunewiz.backends.stages.inner_run import adopt_model
from tunewiz.backends.stages.trials import VALUES, lay_out, next_point, points_of
from tunewiz.files import read_object, replacing
from tunewiz.language import N_
from tunewiz.presets.preset import Preset
from tunewiz.presets.sweeping import Point, many, ranges
from tunewiz.problems import ExitCode, Message, Problem, TunewizError, error, say, warning

_LOOK: Final = 0.5  # seconds between two looks at the points


class Sweep(Backend[Preset]):
    """Tunes one model with each combination of the swept keys."""

    name = "sweep"
    tasks: ClassVar[frozenset[str]] = frozenset()
    description: ClassVar[str] = N_("One run for each combination of the values that a preset sweeps, or each variant.")

    def problems(self, preset: Preset) -> list[Problem]:
        """Of the preset without its sweep; of the points :func:`tunewiz.backends.readiness.check_preset` tells."""
        return find_engine(preset.backend).problems(preset)

    def native(self, preset: Preset) -> str:
        """What all points have in common."""
        return find_engine(preset.backend).native(preset)

    def prepare(self, run: Run, preset: Preset) -> None:
        """Lay out the runs that are known; each prepares its own data."""
        for point in points_of(run, preset):
            lay_out(run, point)

    def baseline(self, run: Run, preset: Preset) -> None:
        """Nothing: each point is measured before and after."""

    def train(self, run: Run, preset: Preset) -> None:
        """Go through the run of every point that is not finished."""
        _Points(run, preset).go_through()

    def evaluate(self, run: Run, preset: Preset) -> None:
        """Take over the data and the measures of the best point."""
        inner = _best(run, preset).run
        for folder in (inner.data, inner.report):
            if folder.is_dir():
                with replacing(run.directory / folder.name) as part:
                    shutil.copytree(folder, part, dirs_exist_ok=True)
        told = read_object(inner.record_file)
        known = read_object(run.record_file)
        add_to_record(
            run, **{key: told[key] for key in told if key not in known and key not in ("within", "whole", VALUES)}
        )
        for key, metrics in read_state(inner).measured.items():
            when, _, what = key.partition(":")
            if when in ("before", "after"):
                run.emit(Evaluated(when="before" if when == "before" else "after", what=what, metrics=metrics))

    def export(self, run: Run, preset: Preset) -> None:
        """The best point's model as the run's."""
        adopt_model(run, _best(run, preset).run.model)

    def report(self, run: Run, preset: Preset) -> str:
        """Write the table; the verdict is the best point's."""
        verdict = write_sweep(run, preset, tried(run, points_of(run, preset)))
        run.emit(Saved(what="report", path=run.relative(run.report / "report.md")))
        return verdict


def _best(run: Run, preset: Preset) -> Tried:
    """Raises ``TunewizError`` where no point was finished."""
    found = tried(run, points_of(run, preset))
    best = choose(found).best
    if best is None:
        raise TunewizError(_none_finished(found))
    return best


def _none_finished(found: Sequence[Tried]) -> Problem:
    why = next((Message("{why}", {"why": one.state.why.get("message", "")}) for one in found if one.state.why), None)
    message = say("No run of the sweep was finished.")
    fix = say("Each has its own log below {folder}. The first one says: {why}", folder=VARIANTS, why=why or "?")
    return error("sweep-failed", message, fix=fix)


@dataclass
class _Going:
    """A point whose run goes on; no ``child`` where an earlier process of the sweep launched it."""

    point: Point
    follower: Follower
    child: Popen[bytes] | None


class _Points:
    """The runs of a sweep, one after another or one a GPU."""

    def __init__(self, run: Run, preset: Preset) -> None:
        self._run = run
        self._preset = preset
        self._every = points_of(run, preset)
        self._left = [point for point in self._every if read_state(run_of(run, point)).status != "finished"]
        self._going: list[_Going] = []
        #: Runs at once: as many as there are GPUs for, once the first one's preset has told what each asks for.
        self._at_once = 1
        self._shown = ""
        self._told: Mapping[str, Any] = {}

    def go_through(self) -> None:
        """Until each is over. Raises ``StopRequested``, and ``TunewizError`` where none was finished."""
        while True:
            if self._run.stop_requested():
                self._stop()
            while point := self._next():
                self._begin(point)
            if not self._going:
                break
            time.sleep(_LOOK)
            self._look()
        found = tried(self._run, self._every)
        if not any(one.state.status == "finished" for one in found):
            raise TunewizError(_none_finished(found))

    def _next(self) -> Point | None:
        """The point whose run may begin now; one that an earlier process left going is followed, however many do."""
        if self._left and alive(run_of(self._run, self._left[0])):
            return self._left.pop(0)
        if len(self._going) >= self._at_once:
            return None
        if self._left:
            return self._left.pop(0)
        if not ranges(self._preset):
            return None
        point = next_point(self._run, self._preset, [one.point.name for one in self._going])
        self._every += [point] if point else []
        return point

    def _begin(self, point: Point) -> None:
        inner, number = run_of(self._run, point), self._every.index(point)
        if point.title and (absent := why_left_out(point.preset)):
            self._leave_out(point, inner, absent)
            return
        follower = Follower(inner)
        follower.update()
        child = None
        if not alive(inner):
            turn = os.environ.get(TURN, "")
            at = int(turn) + number if turn.isdecimal() else time.time_ns()
            child = launch(inner, turn=at, inside=True)
            wanted = wish(inner, queued=True)
            # What is taken by others is waited for by each run itself.
            self._at_once = max(1, len(wanted.places) // wanted.count) if wanted else 1
            if self._at_once > 1:
                until_in_line(child)
        self._tell(point, "running")
        self._going.append(_Going(point, follower, child))

    def _tell(self, point: Point, status: str) -> None:
        """How the run of ``point`` stands, and which of all is the best so far."""
        chosen = choose(tried(self._run, self._every))
        value = chosen.values.get(point.name) if status == "finished" else None
        self._run.emit(
            Swept(
                number=self._every.index(point) + 1,
                count=many(self._preset),
                point=point.told,
                status=status,
                values={} if value is None else {chosen.metric: value},
                best=self._every.index(chosen.best.point) + 1 if chosen.best else 0,
            )
        )

    def _look(self) -> None:
        for one in list(self._going):
            if one.child is not None:
                one.child.poll()
            state, _ = one.follower.update()
            if state.over:
                self._going.remove(one)
                self._ended(one, state)
        if self._going:
            self._show(self._going[0])

    def _leave_out(self, point: Point, inner: Run, why: Sequence[Problem]) -> None:
        """Tell of a variant that this machine cannot run: here, and as the end of its own run."""
        inner.emit(Failed(exit_code=int(ExitCode.BAD_PRESET), problems=tuple(problem.record() for problem in why)))
        self._tell(point, "failed")
        message = say("The variant {name} cannot run here and is left out: {why}", name=point.title, why=why[0].message)
        self._run.notice(warning("variant-left-out", message, fix=why[0].fix))

    def _show(self, one: _Going) -> None:
        """How far the one that began first is."""
        state = one.follower.state
        part = f"{one.point.name}/{state.stage}"
        if part != self._shown:
            self._shown = part
            self._run.emit(Stage(name="train"))  # the time that is left counts from here
        values = {"step": state.step, "total": state.total, "values": dict(state.values)}
        if state.stage and state.total and values != self._told:
            self._told = values
            self._run.emit(Progress(stage="train", step=state.step, total=state.total, values=state.values, part=part))

    def _ended(self, one: _Going, state: RunState) -> None:
        if one.child is not None:
            one.child.wait()
        self._tell(one.point, state.status)
        if state.status == "finished" or self._run.stop_requested():
            return
        why = state.why.get("message", "") if state.why else state.status
        message = say("The run {point} did not finish: {why}", point=one.point.told, why=why)
        self._run.notice(
            warning("sweep-point-failed", message, fix=say("Its log: {file}", file=one.follower.run.log_file))
        )

    def _stop(self) -> None:
        """Have all that go on save and leave, and wait for it."""
        for one in self._going:
            one.follower.run.ask_to_stop()
        while self._going:
            time.sleep(_LOOK)
            self._look()
        raise StopRequested
