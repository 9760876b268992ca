"""The child process of a run: ``python -m tunewiz.backends.runs.worker DIRECTORY``.

It goes through the stages of the preset's backend, leaves out those that are already done (resume), and ends with
exactly one of Finished, Failed or Stopped. Whatever happens is told in events; tracebacks go to ``output.log``.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from types import FrameType

from tunewiz.backends.engines import Backend, find_engine, stages_to_do
from tunewiz.backends.machine.hardware import describe
from tunewiz.backends.runs.create import add_to_record
from tunewiz.backends.runs.events import STAGES, Failed, Finished, Stage, Started
from tunewiz.backends.runs.explain import explain
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.process import write_identity
from tunewiz.backends.runs.run import Run, StopRequested
from tunewiz.files import sweep
from tunewiz.presets.checks import REMOTE_CODE
from tunewiz.presets.preset import Preset
from tunewiz.presets.yaml.library import load
from tunewiz.problems import ExitCode
from tunewiz.redaction import redact_file, redact_output


def main(arguments: list[str]) -> int:
    """Run the directory named by ``arguments[0]`` to its end and return the exit code."""
    run = Run(Path(arguments[0]).absolute())
    redact_output()
    _prepare_process(run)
    try:
        return _work(run)
    except StopRequested:
        run.end_stopped()
        return int(ExitCode.STOPPED)
    except BaseException as fault:  # noqa: BLE001  the outermost edge: every end of a run must be told
        traceback.print_exc()
        explained = explain(fault)
        problems = tuple(problem.as_json() for problem in explained.problems)
        run.emit(Failed(exit_code=int(explained.exit_code), problems=problems))
        return int(explained.exit_code)
    finally:
        redact_file(run.log_file)  # what was not printed by Python, in this child or in one that was killed


def _prepare_process(run: Run) -> None:
    write_identity(run, os.getpid())
    faulthandler.enable()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def stop(_number: int, _frame: FrameType | None) -> None:
        run.stop_file.touch()

    # A batch system that ends a job sends SIGTERM first: time enough for a checkpoint.
    signal.signal(signal.SIGTERM, stop)


def _work(run: Run) -> int:
    preset = load(str(run.preset_file))
    done = read_state(run).done
    backend = find_engine(preset.backend)
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
    sweep(run.directory)
    verdict = "NONE"
    for name in dict.fromkeys((*stages_to_do(run, backend, preset), "report")):
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
    result = getattr(backend, name)(run, preset)
    run.emit(Stage(name=name, ended=True, seconds=time.monotonic() - begun))
    return str(result or "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
