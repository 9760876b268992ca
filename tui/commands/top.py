"""``tunewiz top``: all runs and GPUs of the machine on one screen; once, as lines, where there is no terminal."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from tunewiz.backends.runs.find import runs_dir
from tunewiz.language import translate as _
from tunewiz.printable import json_text
from tunewiz.problems import ExitCode
from tunewiz.tui.commands.options import AsJson, RunsDir, finish

_BETWEEN = 0.5  # seconds between two looks: what computes is told by how much it did since the first


def top(
    runs_dir: RunsDir = None,
    once: Annotated[bool, typer.Option("--once", help=_("Print it once, in lines."))] = False,
    as_json: AsJson = False,
) -> None:
    """What is typed after ``tunewiz top``."""
    finish(lambda: run_top(runs_dir, once, as_json))


def run_top(folder: Path | None, once: bool, json_wanted: bool) -> int:
    """The screen, or the same in lines, or as one JSON object."""
    place = runs_dir(folder)
    if not (once or json_wanted) and sys.stdin.isatty() and sys.stdout.isatty():
        from tunewiz.tui.app import run_screen
        from tunewiz.tui.screens.messages import TopWanted

        return run_screen(place, TopWanted())
    from tunewiz.tui.machine import machine_lines
    from tunewiz.tui.widgets.drawing import text_of

    looks = machine_lines.MachineLooks(place)
    looks.look()
    time.sleep(_BETWEEN)
    found = looks.look()
    looks.close()
    if json_wanted:
        print(json_text(machine_lines.as_json(found)))
    else:
        for line in machine_lines.lines(found, shutil.get_terminal_size((120, 40)).columns - 1):
            print(text_of(line).rstrip())
    return int(ExitCode.OK)
