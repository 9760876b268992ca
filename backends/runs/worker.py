"""The child process of a run: ``python -m tunewiz.backends.runs.worker DIRECTORY``.

It goes through the stages of the preset's backend, leaves out those that are already done (resume), and ends with
exactly one of Finished, Failed or Stopped. Whatever happens is told in events; tracebacks go to ``output.log``. What it
writes is its owner's alone, and a full disk never keeps it from telling so.
"""

from __future__ import annotations

import faulthandler
import io
import os
import re
import shutil
import signal
import stat
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, Final

from tunewiz.backends.engines import Backend, find_engine
from tunewiz.backends.machine.hardware import describe
from tunewiz.backends.runs import lock
from tunewiz.backends.runs.create import add_to_record
from tunewiz.backends.runs.disk import full_problems
from tunewiz.backends.runs.ends import require_files
from tunewiz.backends.runs.events import STAGES, Failed, Finished, Stage, Started
from tunewiz.backends.runs.explain import explain
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.process import write_identity
from tunewiz.backends.runs.run import Run, StopRequested
from tunewiz.files import is_full, sweep
from tunewiz.presets.preset import Preset
from tunewiz.presets.yaml.library import load
from tunewiz.problems import ExitCode

#: What stages begin to write beside the place it goes to, without the number of their process in its name.
_PART: Final = re.compile(r"\.(?!.*\.\d+\.part$).+\.part(\.\w+)?")
#: Folders in which other processes write while a run goes on: those that try its models.
_OTHERS: Final = ("cache",)


def main(arguments: list[str]) -> int:
    """Run the directory named by ``arguments[0]`` to its end and return the exit code."""
    run = Run(Path(arguments[0]).absolute())
    if not _hold(run):
        print(f"{run.directory}: another process carries this run", file=sys.stderr)  # noqa: T201
        return int(ExitCode.BAD_PRESET)
    _prepare_process(run)
    try:
        require_files(run)
        run.reserve()
        _sweep(run.directory)
        return _work(run)
    except StopRequested:
        run.end_stopped()
        return int(ExitCode.STOPPED)
    except BaseException as fault:  # noqa: BLE001  the outermost edge: every end of a run must be told
        traceback.print_exc()
        return _told(run, fault)
    finally:
        run.release()
        _keep_private(run.directory)


def _told(run: Run, fault: BaseException) -> int:
    """Tell how the run failed; the exit code."""
    explained = explain(fault)
    found, code = explained.problems, int(explained.exit_code)
    if is_full(fault):
        with suppress(Exception):  # the short words do if even looking around fails
            found, code = tuple(full_problems(run, fault)), int(ExitCode.FAILED)
    run.emit(Failed(exit_code=code, problems=tuple(problem.as_json() for problem in found)))
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


def _sweep(folder: Path) -> None:
    """Remove what a process that was killed here began to write; who holds the lock is the only one that writes."""
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _OTHERS]
        sweep(Path(place))
        for name in (*folders, *files):
            if _PART.fullmatch(name):
                path = Path(place, name)
                with suppress(OSError):
                    shutil.rmtree(path) if name in folders and not path.is_symlink() else path.unlink()
        folders[:] = [name for name in folders if not _PART.fullmatch(name)]


def _keep_private(folder: Path) -> None:
    """Take from all others what libraries let them read and write.

    Not by the umask: models and data that are cached on the way may be shared with others.
    """
    for place, _folders, files in os.walk(folder):
        for path in (Path(place), *(Path(place, name) for name in files)):
            with suppress(OSError):
                found = path.lstat()
                shared = stat.S_ISREG(found.st_mode) and found.st_nlink > 1  # a cache's file, linked
                if not stat.S_ISLNK(found.st_mode) and not shared and found.st_mode & 0o077:
                    path.chmod(stat.S_IMODE(found.st_mode) & 0o700)


class Spared(io.FileIO):
    """A stream that drops what a full disk does not take: no run should end for want of a line in its log."""

    def write(self, data: Any, /) -> int:
        """As the file's; what was dropped counts as written."""
        try:
            return super().write(data) or 0
        except OSError as fault:
            if not is_full(fault):
                raise
            return len(data)


def _spared(number: int) -> Any:
    return io.TextIOWrapper(
        Spared(number, "w", closefd=False), "utf-8", "backslashreplace", newline="\n", write_through=True
    )


def _prepare_process(run: Run) -> None:
    sys.stdout, sys.stderr = _spared(1), _spared(2)
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
    add_to_record(run, started=time.time(), hardware=describe(run.directory))
    verdict = "NONE"
    for name in STAGES:
        if name not in done or name == "report":
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
