"""``tunewiz watch``: look at a run from any login."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console

from backends.runs.find import find, runs_dir
from backends.runs.follow import Follower
from data.language import translate
from data.problems import ExitCode
from tui.following import follow
from tui.lines import RunLines
from tui.outcome import as_json, exit_code, tell


def run_watch(which: str, folder: Path | None, json_wanted: bool) -> int:
    """Follow the run ``which`` to its end; Ctrl-C leaves it running. The exit code is the run's own."""
    run = find(which, runs_dir(folder))
    lines = RunLines()
    try:
        state = follow(Follower(run), lines.show)
    except KeyboardInterrupt:
        lines.say(translate("The run goes on. Stop it with: {command}").format(command=f"tunewiz stop {run.name}"))
        return int(ExitCode.OK)
    if json_wanted:
        print(json.dumps(as_json(run, state), ensure_ascii=False))
    else:
        tell(run, state, Console(highlight=False))
    return exit_code(state)
