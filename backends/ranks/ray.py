"""LLaMA-Factory's own launch by Ray (``USE_RAY=1``): its workers, processes of a cluster, and what a run is there.

The library sends its arguments and call-backs to as many workers as ``ray_num_workers`` says; which machine and card
each gets is Ray's business. What a run's call-backs hold is a process's own: a worker makes them anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from tunewiz.backends.machine.hardware import Gpu
from tunewiz.backends.ranks.place import Place, take
from tunewiz.backends.runs.run import Run
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


class Carried(list[Any]):
    """Call-backs that reach a worker as ``maker`` (``module:function``) and what it is called with, not as they are."""

    def __init__(self, made: Sequence[Any], maker: str, order: Mapping[str, Any]) -> None:
        super().__init__(made)
        self._maker, self._order = maker, dict(order)

    def __reduce__(self) -> tuple[Any, ...]:
        """What a worker unpickles: :func:`joined`."""
        return joined, (self._maker, self._order)


#: What holds while a worker trains; it ends with the process.
_HELD: Final = ExitStack()


def joined(maker: str, order: Mapping[str, Any]) -> list[Any]:
    """The call-backs in this process, which Ray started as one of the workers; it is that rank from here on."""
    from tunewiz.backends.ranks.rank import choose_device, run_of
    from tunewiz.presets.yaml.library import load

    choose_device()
    run: Run = run_of(order["run"])
    resume = run.directory / order["resume"] if order["resume"] else None
    take(Place(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), resume))
    module, _, function = maker.partition(":")
    made: list[Any] = getattr(import_module(module), function)(run, load(str(run.preset_file)), order, _HELD)
    return made
