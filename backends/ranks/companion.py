"""Another machine of a training: ``python -m tunewiz.backends.ranks.companion DIRECTORY [NODE]``.

One of it runs on each machine but the first, where the run itself is. It waits on the shared directory for what the
run's stage ``train`` writes there, starts this machine's torchrun by it, and waits for the next: a run that was made
smaller trains anew. Whoever started it ends it with SIGTERM; ranks at work then end with the run, not before.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.ranks.plan import Plan, choice
from tunewiz.backends.ranks.torchrun import FOLDER, ORDERS, signals_held

#: Seconds between two looks at the shared directory.
_LOOK: Final = 0.5
#: Where a run's trainings are: its own, those of its parts, and those of parts of parts.
_PLACES: Final = ("", "*/", "*/*/")


def main(arguments: list[str]) -> int:
    """Serve the run in ``arguments[0]`` as machine ``arguments[1]``, else the one that Slurm numbers, until SIGTERM."""
    directory = Path(arguments[0])
    node = int(arguments[1]) if len(arguments) > 1 else int(os.environ.get("SLURM_PROCID", "0")) + 1
    done: set[str] = set()
    ended = False

    def end(*_: object) -> None:
        nonlocal ended
        ended = True

    signal.signal(signal.SIGTERM, end)
    while not ended:
        for file in orders(directory):
            told = _read(file)
            if told.get("id") and told["id"] not in done and node < int(told.get("nodes", 1)):
                done.add(told["id"])
                print(f"machine {node}: joins {file.parent.parent}", flush=True)
                print(f"machine {node}: ended with status {joined(file.parent.parent, told, node)}", flush=True)
        time.sleep(_LOOK)
    return 0


def orders(directory: Path) -> list[Path]:
    """What trainings below ``directory`` wait for others by."""
    return [file for place in _PLACES for file in directory.glob(f"{place}{FOLDER}/{ORDERS}")]


def joined(directory: Path, told: Mapping[str, Any], node: int) -> int:
    """Start this machine's processes of the training in ``directory``; the status of torchrun once they are gone."""
    from tunewiz.backends.machine.hardware import gpus
    from tunewiz.presets.yaml.library import load

    processes = int(told["processes"])
    cards = choice(load(str(directory / "preset.yaml")).launch, gpus(), os.environ) if told["cards"] else []
    plan = Plan(processes, int(told["nodes"]), str(told["strategy"]), tuple(cards[:processes]))
    meet = {"MASTER_ADDR": str(told["address"]), "MASTER_PORT": str(told["port"])}
    environment = os.environ | plan.variables(threads=int(told["threads"]))
    with signals_held():
        agent = subprocess.Popen(
            [sys.executable, *plan.command(directory, node, meet)], stdin=subprocess.DEVNULL, env=environment
        )
    return agent.wait()


def _read(file: Path) -> dict[str, Any]:
    from tunewiz.files import read_object

    return read_object(file)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
