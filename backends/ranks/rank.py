"""One process of a training: ``python -m tunewiz.backends.ranks.rank DIRECTORY``, started by torchrun.

It does what the run's own process would do in the stage ``train``, and leaves how it ended. Rank 0 alone tells and
saves. It never outlives who started it, and only that process ends it: signals that a whole job is sent are left to the
run's own process, which asks for a checkpoint.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import psutil

from tunewiz.backends.ranks.place import Place, take
from tunewiz.backends.ranks.torchrun import FOLDER, ORDERS
from tunewiz.errand import collect_rarely
from tunewiz.files import read_object, write_json

#: Seconds between two looks whether those above still live.
_LOOK: Final = 0.5
_HELD: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(arguments: list[str]) -> int:
    """Train in the run whose directory is ``arguments[0]``; the exit status."""
    directory = Path(arguments[0])
    orders = read_object(directory / FOLDER / ORDERS)
    rank, size = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE"))
    end = directory / FOLDER / f"{rank}.json"
    _leave(end, "begun")
    _watch(end, int(orders.get("pid", 0)) if "GROUP_RANK" in os.environ and os.environ["GROUP_RANK"] == "0" else 0)
    faulthandler.enable()
    resume = str(orders.get("resume", ""))
    take(Place(rank, size, directory / resume if resume else None))
    try:
        return _trained(orders, end)
    except BaseException as fault:  # noqa: BLE001  the outermost edge: how every rank ended must be told
        traceback.print_exc()
        _leave_fault(end, fault)
        return 1


def _trained(orders: Mapping[str, Any], end: Path) -> int:
    from tunewiz.backends.engines import find_engine
    from tunewiz.backends.runs.run import StopRequested
    from tunewiz.presets.yaml.library import load
    from tunewiz.redaction import redact_output

    redact_output()
    choose_device()
    run = run_of(orders["run"])
    preset = load(str(run.preset_file))
    with suppress(StopRequested):  # saved by all; the run's own process tells
        find_engine(preset.backend).train(run, preset)
    _leave(end, "done")
    return 0


def run_of(told: Mapping[str, Any]) -> Any:
    """The run that :meth:`Run.whereabouts` told of."""
    from tunewiz.backends.runs.run import Run
    from tunewiz.backends.stages.inner_run import InnerRun

    directory = Path(told["directory"])
    if "outer" not in told:
        return Run(directory)
    return InnerRun(directory, run_of(told["outer"]), told["stage"], told["what"])


def choose_device() -> None:
    """Let ``cuda`` mean this process's own card; let what was saved be read on a CPU that has a number.

    accelerate numbers the CPUs of ranks (``cpu:1``), where transformers reads the optimizer's state, and torch does not
    know that place.
    """
    import torch

    torch.serialization.register_package(0, lambda _: None, lambda storage, place: storage if "cpu:" in place else None)
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())


# How it ends.


def _leave(end: Path, how: str, **more: Any) -> None:
    told = {"end": how, "time": time.time(), "pid": os.getpid(), "host": socket.gethostname()}
    write_json(end, told | more)


def _leave_fault(end: Path, fault: BaseException) -> None:
    from tunewiz.backends.runs.explain import explain

    found, code = explain(fault)
    _leave(end, "fault", problems=[problem.record() for problem in found], exit_code=int(code))


def _watch(end: Path, carrier: int) -> None:
    """Follow what ends this process, in a thread: a word of torchrun, or the death of it or of the process ``carrier``.

    torchrun starts its processes in sessions of their own, where nobody who ends a run's session finds them.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    # A loader's process is ended by its parent with the first of them.
    os.register_at_fork(after_in_child=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD))
    agent = os.getppid()

    def follow() -> None:
        while True:
            told = signal.sigtimedwait(_HELD, _LOOK)
            if told is not None and told.si_pid == agent:
                _leave(end, "ended")
                os._exit(128 + told.si_signo)
            if os.getppid() != agent or (carrier and not _lives(carrier)):
                os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


if __name__ == "__main__":
    collect_rarely()
    sys.exit(main(sys.argv[1:]))
