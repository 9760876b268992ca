"""How long a step takes here: a few of them, trained on the side by a run that nobody keeps."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.runs.create import create
from tunewiz.backends.runs.events import Progress
from tunewiz.backends.runs.follow import EventReader
from tunewiz.backends.runs.launching import launch
from tunewiz.backends.runs.process import kill
from tunewiz.backends.runs.run import Run
from tunewiz.language import translate
from tunewiz.presets.preset import Preset
from tunewiz.problems import TunewizError

#: Steps trained; the first ones are slower (memory is allotted, kernels are chosen) and do not count, unless steps are
#: so slow that nobody would wait for more: what is only slow at first is little beside them.
_STEPS: Final = 6
_SKIPPED: Final = 2
_SLOW: Final = 5.0  # seconds a step
_PATIENCE: Final = 300.0  # seconds, of which loading a large model takes the most
_LOOK: Final = 0.2


def measure(preset: Preset, unwanted: Callable[[], bool] = lambda: False) -> float | str:
    """Seconds a step of ``preset`` takes on this machine, or why that cannot be told. Blocks: call it in a thread.

    The run lives in a folder of its own that is removed again, whatever happens.
    """
    folder = Path(tempfile.mkdtemp(prefix="tunewiz-pace-"))
    run: Run | None = None
    try:
        run = create(_few(preset), folder, command=["tunewiz"])
        child = launch(run)
        seconds = _followed(run, lambda: unwanted() or child.poll() is not None)
        return seconds if seconds is not None else translate("no step was trained; start it to see why")
    except (TunewizError, OSError) as fault:
        return str(fault) or type(fault).__name__
    finally:
        if run is not None:
            kill(run)
        shutil.rmtree(folder, ignore_errors=True)


def _few(preset: Preset) -> Preset:
    """``preset`` with a few steps, each one told, and nothing measured before or saved between."""
    training = {"max_steps": _STEPS, "log_every": 1, "warmup": 0, "evaluations": 1}
    changed: dict[str, Any] = {"training": preset.training.model_copy(update=training)}
    evaluation = getattr(preset, "evaluation", None)
    if evaluation is not None and "baseline" in type(evaluation).model_fields:
        changed["evaluation"] = evaluation.model_copy(update={"baseline": False})
    return preset.model_copy(update=changed)


def _followed(run: Run, over: Callable[[], bool]) -> float | None:
    reader, times, begun = EventReader(run.events_file), {}, time.monotonic()
    while time.monotonic() - begun < _PATIENCE:
        ended = over()
        for event in reader.read():
            if isinstance(event, Progress) and event.stage == "train" and event.step:
                times[event.step] = event.time
        counted = sorted(step for step in times if step > _SKIPPED)
        if {1, 2} <= times.keys() and times[2] - times[1] > _SLOW:
            return float(times[2] - times[1])
        if counted and (ended or counted[-1] >= _STEPS - 1) and len(counted) > 1:
            return float((times[counted[-1]] - times[counted[0]]) / (counted[-1] - counted[0]))
        if ended:
            return None
        time.sleep(_LOOK)
    return None
