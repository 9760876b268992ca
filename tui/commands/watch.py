"""``tunewiz watch``: look at runs from any login."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tunewiz.backends.runs.find import find, runs_dir
from tunewiz.backends.runs.follow import Follower
from tunewiz.backends.runs.run import Run
from tunewiz.language import translate
from tunewiz.language import translate as _
from tunewiz.printable import json_text
from tunewiz.problems import ExitCode
from tunewiz.tui.commands.following import RunLines, SeveralLines, follow, follow_all
from tunewiz.tui.commands.options import AsJson, RunsDir, finish
from tunewiz.tui.outcome import ending, exit_code, run_json, tell_outcome
from tunewiz.tui.terminal.escapes import notification


def watch(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...", help=_("Runs by directory or name; `last` without any."), show_default=False
        ),
    ] = None,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
) -> None:
    """What is typed after ``tunewiz watch``."""
    finish(lambda: run_watch(names or ["last"], runs_dir, as_json))


def run_watch(names: Sequence[str], folder: Path | None, json_wanted: bool) -> int:
    """Follow runs to their end; Ctrl-C leaves them running.

    The exit code is the run's own; of several, that of the first that did not end well.
    """
    place = runs_dir(folder)
    runs = list(dict.fromkeys(find(which, place) for which in names))
    return _watch_one(runs[0], json_wanted) if len(runs) == 1 else _watch_several(runs, json_wanted)


def _watch_several(runs: Sequence[Run], json_wanted: bool) -> int:
    lines = SeveralLines([run.name for run in runs])
    try:
        states = follow_all([Follower(run) for run in runs], lines)
    except KeyboardInterrupt:
        lines.say(translate("The runs go on. Stop one with: {command}").format(command="tunewiz stop RUN"))
        return int(ExitCode.OK)
    _ring(", ".join(run.name for run in runs))
    if json_wanted:
        print(json_text([run_json(run, state) for run, state in zip(runs, states, strict=True)]))
    else:
        for run, state in zip(runs, states, strict=True):
            print(ending(run, state))
    return next((code for state in states if (code := exit_code(state))), int(ExitCode.OK))


def _ring(told: str) -> None:
    """Tell the terminal that what was watched is done, unless that is switched off."""
    if sys.stderr.isatty():
        from tunewiz.tui.terminal.looks import read_settings

        if not read_settings().quiet:
            sys.stderr.write(notification("Tunewiz", told, os.environ))
            sys.stderr.flush()


def _watch_one(run: Run, json_wanted: bool) -> int:
    lines = RunLines()
    try:
        state = follow(Follower(run), lines.show)
    except KeyboardInterrupt:
        lines.say(translate("The run goes on. Stop it with: {command}").format(command=f"tunewiz stop {run.typed}"))
        return int(ExitCode.OK)
    _ring(ending(run, state))
    if json_wanted:
        print(json_text(run_json(run, state)))
    else:
        tell_outcome(run, state, Console(highlight=False))
    return exit_code(state)
