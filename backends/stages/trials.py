"""The runs of a sweep in their turn: those of a grid are known, of one with ranges each is chosen when it begins.

Optuna chooses, by what the finished ones measured (TPE: Bergstra et al., 2011; Akiba et al., 2019). What it is told
stands in the runs themselves, so that a sweep that was stopped or killed goes on as if it had not been.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tunewiz.backends.models.run_models import VARIANTS
from tunewiz.backends.reports.sweep_report import Choice, Tried, choose, run_of, tried
from tunewiz.backends.runs.run import Run
from tunewiz.files import read_object, write_json, write_whole
from tunewiz.presets.preset import Preset
from tunewiz.presets.sections.sweep import Range
from tunewiz.presets.sweeping import Point, many, point, points, ranges
from tunewiz.presets.yaml.library import dumps, load
from tunewiz.problems import BadPreset

#: The key of a run's record with the values that were chosen for it.
VALUES: Final = "swept"
#: How often other values are asked for where those at hand were tried before or go with nothing.
_ATTEMPTS: Final = 20


def points_of(run: Run, preset: Preset) -> list[Point]:
    """All points of a grid; of a sweep with ranges those that were chosen so far, in their order."""
    if not ranges(preset):
        return points(preset)
    found = []
    for folder in sorted((run.directory / VARIANTS).glob("*/")):
        values = read_object(Run(folder).record_file).get(VALUES)
        if isinstance(values, dict) and Run(folder).preset_file.is_file():
            found.append(Point(folder.name, values, load(str(Run(folder).preset_file))))
    return found


def lay_out(run: Run, one: Point) -> Run:
    """The run of ``one`` inside ``run``, ready to be launched."""
    inner = run_of(run, one)
    if not inner.preset_file.is_file():
        inner.directory.mkdir(parents=True, exist_ok=True)
        write_json(inner.record_file, {"created": time.time(), "within": run.name, VALUES: dict(one.values)})
        write_whole(inner.preset_file, dumps(one.preset))
    return inner


def next_point(run: Run, preset: Preset, going: Sequence[str]) -> Point | None:
    """The next point of a sweep with ranges, laid out; ``None``: there are as many as wanted, or no others.

    ``going`` are the names of those that go on: their values are not asked for again.
    """
    before = points_of(run, preset)
    number = len(before) + 1
    if number > many(preset):
        return None
    past = tried(run, before)
    told = [dict(one.values) for one in before]
    for attempt in range(_ATTEMPTS):
        values = _asked(preset, past, going, preset.training.seed + number + 1000 * attempt)
        if values in told:
            continue
        try:
            chosen = point(preset, number, values)
        except BadPreset:  # the ends go together, this does not
            continue
        lay_out(run, chosen)
        return chosen
    return None


def _asked(preset: Preset, past: Sequence[Tried], going: Sequence[str], seed: int) -> dict[str, Any]:
    """Values of all keys by optuna, which is told of ``past``; the same for the same past and ``seed``."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    chosen = choose(past)
    # Where a study ends with few runs, most would be drawn blindly by the library's own ten.
    blind = min(10, max(3, many(preset) // 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=blind, constant_liar=True)
        study = optuna.create_study(direction="minimize" if chosen.lower else "maximize", sampler=sampler)
        space = {key: _distribution(values) for key, values in preset.sweep.items()}
        study.add_trials([_trial(preset, space, one, going, chosen) for one in past])
        asked = study.ask(space).params
    return {key: _value(preset, key, asked[key]) for key in preset.sweep}


def _distribution(values: list[Any] | Range) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(values, list):  # by place: values may be lists themselves
        return CategoricalDistribution(list(range(len(values))))
    kind = IntDistribution if values.whole else FloatDistribution
    return kind(values.low, values.high, log=values.log)


def _trial(preset: Preset, space: Mapping[str, Any], one: Tried, going: Sequence[str], chosen: Choice) -> Any:
    from optuna.trial import TrialState, create_trial

    params = {key: _param(preset, key, value) for key, value in one.point.values.items()}
    value = chosen.values.get(one.point.name)
    if value is not None and math.isfinite(value):
        return create_trial(params=params, distributions=dict(space), value=value)
    state = TrialState.RUNNING if one.point.name in going else TrialState.FAIL
    return create_trial(params=params, distributions=dict(space), state=state)


def _value(preset: Preset, key: str, asked: Any) -> Any:
    values = preset.sweep[key]
    return values.rounded(asked) if isinstance(values, Range) else values[asked]


def _param(preset: Preset, key: str, value: Any) -> Any:
    values = preset.sweep[key]
    return value if isinstance(values, Range) else values.index(value)
