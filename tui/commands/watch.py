"""``tunewiz watch``: look at a run from any login."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from tunewiz.backends.runs.find import find, runs_dir
from tunewiz.backends.runs.follow import Follower
from tunewiz.language import translate
from tunewiz.printable import json_text
from tunewiz.problems import ExitCode
from tunewiz.tui.commands.following import RunLines, follow
from tunewiz.tui.commands.options import AsJson, RunName, RunsDir, finish
from tunewiz.tui.outcome import exit_code, run_json, tell_outcome


def watch(name: RunName = "last", runs_dir: RunsDir = None, as_json: AsJson = False) -> None:
    """What is typed after ``tunewiz watch``."""
    finish(lambda: run_watch(name, runs_dir, as_json))


def run_watch(which: str, folder: Path | None, json_wanted: bool) -> int:
    """Follow the run ``which`` to its end; Ctrl-C leaves it running. The exit code is the run's own."""
    run = find(which, runs_dir(folder))
    lines = RunLines()
    try:
        state = follow(Follower(run), lines.show)
    except KeyboardInterrupt:
        lines.say(translate("The run goes on. Stop it with: {command}").format(command=f"tunewiz stop {run.typed}"))
        return int(ExitCode.OK)
    if json_wanted:
        print(json_text(run_json(run, state)))
    else:
        tell_outcome(run, state, Console(highlight=False))
    return exit_code(state)
