"""A worker of LLaMA-Factory's launch by Ray: a process of a cluster, and what a run is there.

The library pickles its arguments and call-backs and sends them to each worker. What a run's call-backs hold (its files,
the places of processes) is a process's own: what is sent is an order, by which a worker makes them anew.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib import import_module
from typing import Any, Final

from tunewiz.backends.ranks.place import Place, take
from tunewiz.backends.ranks.rank import choose_device, run_of
from tunewiz.backends.runs.run import Run
from tunewiz.presets.yaml.library import load


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
    choose_device()
    run: Run = run_of(order["run"])
    resume = run.directory / order["resume"] if order["resume"] else None
    take(Place(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), resume))
    module, _, function = maker.partition(":")
    made: list[Any] = getattr(import_module(module), function)(run, load(str(run.preset_file)), order, _HELD)
    return made
