"""``tunewiz stop``: checkpoint now, then exit; only a second, confirmed stop kills."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from tunewiz.backends.runs.ends import reason
from tunewiz.backends.runs.find import find, runs_dir
from tunewiz.backends.runs.follow import Follower
from tunewiz.backends.runs.process import alive, ask_to_stop, cancel_job, job_state, kill
from tunewiz.backends.runs.run import Run
from tunewiz.language import translate
from tunewiz.language import translate as _
from tunewiz.printable import printable
from tunewiz.problems import BadPreset, ExitCode, TunewizError, error, say
from tunewiz.tui.commands.following import RunLines, follow
from tunewiz.tui.commands.options import RunName, RunsDir, finish
from tunewiz.tui.words import STATUS_NAMES

_GRACE: Final = 30.0  # seconds


def stop(
    name: RunName = "last",
    runs_dir: RunsDir = None,
    kill: Annotated[bool, typer.Option("--kill", help=_("End it at once, if a stop was asked for before."))] = False,
    yes: Annotated[bool, typer.Option("--yes", help=_("Do not ask before killing."))] = False,
    wait: Annotated[bool, typer.Option(help=_("Wait until it has ended."))] = True,
) -> None:
    """What is typed after ``tunewiz stop``."""
    finish(lambda: run_stop(name, runs_dir, kill, yes, wait))


def run_stop(which: str, folder: Path | None, kill_wanted: bool, confirmed: bool, wait: bool) -> int:
    """Ask the run ``which`` to save and stop, and wait until it has; with ``kill_wanted``, end it at once."""
    run = find(which, runs_dir(folder))
    lines = RunLines()
    if not alive(run):
        lines.say(translate("{name} is not running.").format(name=run.name))
        return int(ExitCode.OK)
    if job_state(run) == "PENDING" and cancel_job(run):
        run.end_stopped()
        lines.say(translate("{name} was taken out of Slurm's queue.").format(name=run.name))
        return int(ExitCode.OK)
    if kill_wanted:
        return _killed(run, confirmed, lines)
    if run.stop_requested():
        words = translate("{name} was asked to stop already and saves at its next step. To end it at once: {command}")
        lines.say(words.format(name=run.name, command=f"tunewiz stop {run.typed} --kill"))
    with _told_if_refused(run):
        ask_to_stop(run)
    return _waited(run, lines) if wait else int(ExitCode.OK)


def _waited(run: Run, lines: RunLines) -> int:
    lines.say(translate("{name} saves a checkpoint and stops ...").format(name=run.name))
    try:
        state = follow(Follower(run), lambda _state, _events: None)
        _until_gone(run)
    except KeyboardInterrupt:
        return int(ExitCode.OK)
    status = translate(STATUS_NAMES[state.status])
    lines.say(translate("{name} has ended ({status}).").format(name=run.name, status=status))
    return int(ExitCode.OK if state.status in ("stopped", "finished") else ExitCode.FAILED)


def _until_gone(run: Run) -> None:
    """Wait for the process too, which frees its memory after its last event: what follows may start the next one."""
    end = time.monotonic() + _GRACE
    while alive(run) and time.monotonic() < end:
        time.sleep(0.1)


def _killed(run: Run, confirmed: bool, lines: RunLines) -> int:
    if not run.stop_requested() and not confirmed:
        problem = say("Killing loses what was trained since the last checkpoint.")
        fix = say("First `tunewiz stop {name}`; or add --yes if you are sure.", name=run.typed)
        raise BadPreset(error("kill-unconfirmed", problem, fix=fix))
    if not confirmed and not _agreed(run):
        return int(ExitCode.OK)
    with _told_if_refused(run):
        if kill(run) or cancel_job(run):
            run.end_stopped()
    lines.say(translate("{name} was killed.").format(name=run.name))
    return int(ExitCode.OK)


@contextmanager
def _told_if_refused(run: Run) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        message = say("The run {name} cannot be stopped: {reason}.", name=run.name, reason=reason(fault))
        fix = say("It may belong to somebody else, or its disk may be full.")
        raise TunewizError(error("stop-refused", message, fix=fix)) from fault


def _agreed(run: Run) -> bool:
    if not sys.stdin.isatty():
        raise BadPreset(
            error(
                "kill-unconfirmed", say("Killing needs a yes, and there is no terminal to ask."), fix=say("Add --yes.")
            )
        )
    return _answer(run) in ("y", "yes", "是")


def _answer(run: Run) -> str:
    return input(translate("Kill {name} now? [y/N] ").format(name=printable(run.name))).strip().lower()
