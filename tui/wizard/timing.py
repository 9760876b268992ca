"""How long a run will take, judged by earlier runs of the same model on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from backends.runs.find import all_runs
from backends.runs.follow import read_state
from data.language import translate
from data.problems import BadPreset, say
from presets import library
from presets.draft import Draft
from presets.families import lookup
from presets.preset import Preset
from tui.numbers import duration
from tui.widgets.drawing import Part

#: The newest runs that are looked at.
_MOST: Final = 30


@dataclass(frozen=True)
class Pace:
    """What a finished run took: ``tokens`` at most (texts x max length) in ``train`` seconds, ``rest`` for all else."""

    run: str
    model: str
    method: str
    tokens: float
    train: float
    rest: float


def paces(folder: Path) -> tuple[Pace, ...]:
    """The paces of the newest finished runs in ``folder``, the newest first."""
    found = []
    for run in list(reversed(all_runs(folder)))[:_MOST]:
        state = read_state(run)
        seconds = state.seconds.get("train", 0.0)
        if state.status != "finished" or seconds <= 0 or not state.step:
            continue
        try:
            preset = library.load(run.preset_file)
        except BadPreset:
            continue
        texts = state.step * preset.training.batch_size * preset.training.accumulation * _texts_a_row(preset)
        rest = sum(state.seconds.values()) - seconds
        tokens = texts * preset.training.max_length
        found.append(Pace(run.name, _model(preset.model.id), _method(preset), tokens, seconds, rest))
    return tuple(found)


def time_line(draft: Draft, rows: int, known: tuple[Pace, ...]) -> list[Part]:
    """How long ``draft`` will take with ``rows`` training rows and how that is known, or that it is not."""
    preset = draft.checked()[0]
    pace = _like(preset, known) if preset else None
    if preset is None or pace is None or not rows:
        return [(translate("Time: told by the monitor after some steps"), "dim")]
    training = preset.training
    steps = rows * training.epochs / (training.batch_size * training.accumulation)
    steps = min(steps, training.max_steps) if training.max_steps > 0 else steps
    tokens = steps * training.batch_size * training.accumulation * _texts_a_row(preset) * training.max_length
    seconds = pace.train * tokens / pace.tokens + pace.rest
    told = say("Time: about {time}, at the pace of {run}", time=duration(seconds), run=pace.run)
    return [(told.text(), "plain")]


def _like(preset: Preset, known: tuple[Pace, ...]) -> Pace | None:
    """The newest run with the same model and method."""
    wanted = (_model(preset.model.id), _method(preset))
    return next((pace for pace in known if (pace.model, pace.method) == wanted), None)


def _model(name: str) -> str:
    known = lookup(name)
    return known.size.id if known else name


def _method(preset: Preset) -> str:
    return str(getattr(getattr(preset, "method", None), "type", ""))


def _texts_a_row(preset: Preset) -> int:
    """The query and the passages that its loss compares it with."""
    mined: Any = getattr(getattr(preset, "data", None), "negatives", None)
    negatives = mined.per_query if mined is not None and mined.strategy != "none" else 0
    loss: Any = getattr(preset, "loss", None)
    return 1 + (loss.core.passages(negatives) if loss is not None else 1 + negatives)
