"""LLaMA-Factory's own launch by Ray (``USE_RAY=1``): when a preset is trained by it, and what keeps it from that.

The library has as many workers as ``ray_num_workers`` says; which machine and card each gets is Ray's business.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Final

from tunewiz.backends.machine.hardware import Gpu
from tunewiz.presets.preset import Preset
from tunewiz.problems import Problem, Where, error, note, say

#: The engine that has such a launch.
ENGINE: Final = "llama_factory"
#: Its argument for how many workers there are.
WORKERS: Final = "ray_num_workers"
_KEY: Final = f"backend_options.{WORKERS}"


def wanted(preset: Preset, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether ``preset`` is trained by Ray's workers; by the words that the library reads (``is_env_enabled``)."""
    return preset.backend == ENGINE and environment.get("USE_RAY", "0").lower() in ("true", "y", "1")


def workers(preset: Preset) -> int:
    """How many workers train ``preset``, the library's default where it does not say."""
    options: Mapping[str, Any] = getattr(preset, "backend_options", {})
    count = options.get(WORKERS, 1)
    return count if isinstance(count, int) and count > 0 else 1


def problems(preset: Preset, cards: Sequence[Gpu], shared: Callable[[int], object]) -> Iterator[Problem]:
    """What keeps ``preset`` from being trained by Ray; ``shared`` gives ``None`` where a batch cannot be cut so."""
    if not wanted(preset):
        return
    count = workers(preset)
    if find_spec("ray") is None:
        message = say("USE_RAY is set and the package ray is not installed.")
        fix = say("Run: {command}, or unset USE_RAY.", command="pip install 'ray[default]'")
        yield error("packages-missing", message, Where(_KEY), fix)
    if not cards:
        message = say(
            "LLaMA-Factory's launch by Ray is for GPUs: without one here it asks for ten processors for each "
            "processor of the cluster, and waits for ever."
        )
        yield error("ray-needs-gpu", message, Where(_KEY), say("Unset USE_RAY."))
    if preset.launch.processes not in ("auto", 1) or preset.launch.nodes > 1:
        message = say("Where USE_RAY is set, Ray's workers train, not launch.processes on launch.nodes.")
        fix = say("Set {key} to the number of GPUs, and leave out launch.processes and launch.nodes.", key=_KEY)
        yield error("ray-and-processes", message, Where("launch.processes"), fix)
    if shared(count) is None:
        message = say("The rows of a step cannot be shared evenly by {count} workers of Ray.", count=count)
        yield error("batch-not-shared", message, Where(_KEY), say("Change training.batch_size, or {key}.", key=_KEY))
    message = say("Trained by LLaMA-Factory's launch by Ray: {count} workers (USE_RAY, {key}).", count=count, key=_KEY)
    yield note("ray", message, Where(_KEY))
