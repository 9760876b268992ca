"""``tunewiz report``: what a run brought."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from tunewiz.backends.runs.find import find, runs_dir
from tunewiz.backends.runs.follow import read_state
from tunewiz.files import read_json
from tunewiz.printable import operand
from tunewiz.problems import BadPreset, ExitCode, error, say
from tunewiz.tui.commands.options import AsJson, RunName, RunsDir, finish
from tunewiz.tui.outcome import run_json
from tunewiz.tui.words import STATUS_NAMES


def report(name: RunName = "last", runs_dir: RunsDir = None, as_json: AsJson = False) -> None:
    """What is typed after ``tunewiz report``."""
    finish(lambda: run_report(name, runs_dir, as_json))


def run_report(which: str, folder: Path | None, json_wanted: bool) -> int:
    """Print the report of the run ``which``: rendered on a terminal, Markdown in a pipe, or JSON."""
    run = find(which, runs_dir(folder))
    state = read_state(run)
    if json_wanted:
        print(
            json.dumps(run_json(run, state) | {"metrics": read_json(run.report / "metrics.json")}, ensure_ascii=False)
        )
        return int(ExitCode.OK)
    file = run.report / "report.md"
    if not file.is_file():
        problem = say(
            "{name} has no report yet: it is {status}.", name=run.name, status=say(STATUS_NAMES[state.status])
        )
        raise BadPreset(
            error("no-report", problem, fix=say("`tunewiz watch {name}` shows how far it is.", name=operand(run.name)))
        )
    text = file.read_text(encoding="utf-8")
    if sys.stdout.isatty():
        Console().print(Markdown(text))
    else:
        sys.stdout.write(text)
    return int(ExitCode.OK)
