"""The child process of a run: ``python -m tunewiz.backends.runs.worker DIRECTORY``.

It goes through the stages of the preset's backend, leaves out those that are already done (resume), and ends with
exactly one of Finished, Failed or Stopped. Whatever happens is told in events; tracebacks go to ``output.log``. What it
writes is its owner's alone, and a full disk never keeps it from telling so.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import signal
import sys
import time
import traceback
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Final

from tunewiz.backends.engines import Backend, engine_of, stages_to_do
from tunewiz.backends.machine import places
from tunewiz.backends.machine.hardware import describe
from tunewiz.backends.ranks import torchrun
from tunewiz.backends.ranks.plan import take_cards
from tunewiz.backends.runs import lock
from tunewiz.backends.runs.create import add_to_record
from tunewiz.backends.runs.disk import full_problems
from tunewiz.backends.runs.ends import AGAIN, put_in_order, require_files
from tunewiz.backends.runs.events import STAGES, Failed, Finished, Stage, Started
from tunewiz.backends.runs.explain import explain
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.process import write_identity
from tunewiz.backends.runs.run import Run, StopRequested
from tunewiz.backends.training.adjusting import adjust
from tunewiz.backends.training.batch_sizes import settle
from tunewiz.errand import collect_rarely
from tunewiz.files import causes, is_full, sweep_tree
from tunewiz.presets.checks import REMOTE_CODE
from tunewiz.presets.preset import Preset
from tunewiz.presets.yaml.library import load
from tunewiz.problems import ExitCode
from tunewiz.redaction import redact_output

#: Folders in which other processes write while a run goes on: those that try its models.
_OTHERS: Final = ("cache",)


def main(arguments: list[str]) -> int:
    """Run the directory named by ``arguments[0]`` to its end and return the exit code."""
    run = Run(Path(arguments[0]).absolute())
    if not _hold(run):
        print(f"{run.directory}: another process carries this run", file=sys.stderr)  # noqa: T201
        return int(ExitCode.BAD_PRESET)
    redact_output()
    _keep_places()
    _prepare_process(run)
    try:
        require_files(run)
        run.reserve()
        sweep_tree(run.directory, _OTHERS)
        return _work(run)
    except StopRequested:
        run.end_stopped()
        return int(ExitCode.STOPPED)
    except BaseException as fault:  # noqa: BLE001  the outermost edge: every end of a run must be told
        traceback.print_exc()
        return _again(run, fault) or _told(run, fault)
    finally:
        with suppress(MemoryError):  # the end is told; whoever waits for this process does it then
            put_in_order(run)


def _again(run: Run, fault: BaseException) -> int:
    """The status that asks for another child, where memory ran out and a smaller preset was found; 0 otherwise."""
    found, code = explain(fault)
    if code != ExitCode.OUT_OF_MEMORY:
        return 0
    _let_go(fault)
    try:
        return AGAIN if adjust(run, any(problem.code == "host-out-of-memory" for problem in found)) else 0
    except Exception:  # noqa: BLE001  then this end is told as any other
        traceback.print_exc()
        return 0


def _let_go(fault: BaseException) -> None:
    """Give back what the frames that ``fault`` and its causes came through still hold: the batch, the optimizer."""
    for one in causes(fault):
        traceback.clear_frames(one.__traceback__)
    gc.collect()


def _told(run: Run, fault: BaseException) -> int:
    """Tell how the run failed; the exit code."""
    explained = explain(fault)
    found, code = explained.problems, int(explained.exit_code)
    if is_full(fault):
        with suppress(Exception):  # the short words do if even looking around fails
            found, code = tuple(full_problems(run, fault)), int(ExitCode.FAILED)
    run.emit(Failed(exit_code=code, problems=tuple(problem.record() for problem in found)))
    return code


def _hold(run: Run) -> bool:
    """Keep the lock that was handed down; started by hand, take it. Whether this process may carry the run."""
    held = lock.inherited()
    if held is None:
        try:
            held = lock.take(run.directory)
        except lock.NoLocks:
            return True
        if held is None:
            return False
        write_identity(run, os.getpid())  # started by hand: nobody else has
    descriptor = held
    # A loader's process must not keep the run locked once this one is gone.
    os.register_at_fork(after_in_child=lambda: os.close(descriptor))
    return True


def _keep_places() -> None:
    """Keep what this run computes on its own as long as this process lives."""
    for descriptor in places.inherited():
        os.register_at_fork(after_in_child=partial(os.close, descriptor))


def _prepare_process(run: Run) -> None:
    faulthandler.enable()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def stop(_number: int, _frame: FrameType | None) -> None:
        with suppress(OSError):
            run.ask_to_stop()

    # A batch system that ends a job sends SIGTERM first: time enough for a checkpoint.
    signal.signal(signal.SIGTERM, stop)


def _work(run: Run) -> int:
    preset = load(str(run.preset_file))
    take_cards(preset.launch)
    done = read_state(run).done
    backend = engine_of(preset)
    run.emit(
        Started(
            name=run.name,
            task=preset.task,
            backend=preset.backend,
            model=preset.model.id,
            pid=os.getpid(),
            stages=STAGES,
            resumed=bool(done),
        )
    )
    for problem in preset.problems():
        if problem.code == REMOTE_CODE:
            run.notice(problem)
    add_to_record(run, started=time.time(), hardware=describe(run.directory))
    verdict = "NONE"
    for name in dict.fromkeys((*stages_to_do(run, backend, preset), "report")):
        preset = settle(run, load(str(run.preset_file)), name)  # in which a stage may have written what it chose
        if name == "report":
            backend.tidy(run, preset)
        verdict = _stage(run, backend, preset, name) or verdict
    run.emit(Finished(verdict=verdict))
    return int(ExitCode.OK)


def _stage(run: Run, backend: Backend[Preset], preset: Preset, name: str) -> str:
    run.check_stop()
    begun = time.monotonic()
    run.emit(Stage(name=name))
    print(f"==> {name}", flush=True)  # noqa: T201  a landmark in output.log
    result = ""
    if name == "train":
        torchrun.train(run, backend, preset)
    else:
        result = getattr(backend, name)(run, preset)
    run.emit(Stage(name=name, ended=True, seconds=time.monotonic() - begun))
    return str(result or "")


if __name__ == "__main__":
    collect_rarely()
    sys.exit(main(sys.argv[1:]))
