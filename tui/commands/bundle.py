"""``tunewiz bundle``: a run as one zip to hand in."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from tunewiz.backends.runs.find import find, runs_dir
from tunewiz.errand import ErrandFailed, send
from tunewiz.language import translate as _
from tunewiz.problems import BadPreset, ExitCode, say
from tunewiz.tui.commands.options import AsJson, RunName, RunsDir, finish


def bundle(
    name: RunName = "last",
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help=_("The zip; by default ./RUN.zip."))] = None,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
) -> None:
    """What is typed after ``tunewiz bundle``."""
    finish(lambda: run_bundle(name, runs_dir, out, as_json))


def run_bundle(which: str, folder: Path | None, out: Path | None, as_json: bool) -> int:
    """Put the run ``which`` into the zip ``out``; what is missing in it is told."""
    run = find(which, runs_dir(folder))
    place = (out or Path(f"{run.name}.zip")).expanduser().absolute()
    try:
        missing = send("tunewiz.tui.bundling:bundle", run, place)
    except ErrandFailed as fault:
        raise BadPreset(*fault.problems) from fault
    if as_json:
        print(json.dumps({"out": str(place), "missing": [one.text() for one in missing]}, ensure_ascii=False))
        return int(ExitCode.OK)
    print(place)
    for one in missing:
        print(say("Missing: {what}", what=one).text(), file=sys.stderr)
    return int(ExitCode.OK)
