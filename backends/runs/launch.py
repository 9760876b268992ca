"""Starting the child of a run so that nothing on this side can take it down."""

from __future__ import annotations

import subprocess
import sys

from backends.children import environment
from backends.runs.events import Launched
from backends.runs.process import alive, write_identity
from backends.runs.run import Run
from data.problems import BadPreset, error, say


def launch(run: Run) -> subprocess.Popen[bytes]:
    """Start the child in a session of its own, its output going to ``output.log``.

    A lost terminal, SIGHUP or the death of the caller does not touch it. Raises ``BadPreset`` when the run already
    has a living child.
    """
    if alive(run):
        problem = say("The run {name} is already going on.", name=run.name)
        raise BadPreset(
            error("run-is-alive", problem, fix=say("Look at it with `tunewiz watch {name}`.", name=run.name))
        )
    run.stop_file.unlink(missing_ok=True)
    run.emit(Launched())
    with run.log_file.open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "backends.runs.worker", str(run.directory)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=run.directory,
            env=_environment(),
        )
    write_identity(run, child.pid)
    return child


def _environment() -> dict[str, str]:
    own = environment()
    return own | {"PYTHONUNBUFFERED": "1", "TOKENIZERS_PARALLELISM": own.get("TOKENIZERS_PARALLELISM", "true")}
