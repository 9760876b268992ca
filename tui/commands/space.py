"""``tunewiz space``: the vector space of a run before and after training, as points."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tunewiz.backends.runs.find import find, runs_dir
from tunewiz.backends.space.choosing import FEWEST, MOST, By
from tunewiz.backends.space.record import NAME
from tunewiz.errand import ErrandFailed
from tunewiz.language import translate as _
from tunewiz.printable import json_text
from tunewiz.problems import BadData, BadPreset, ExitCode, Message, error, say
from tunewiz.tui.commands.options import AsJson, RunName, RunsDir, finish

_DATA = frozenset({"nothing-to-draw", "no-labels", "prepared-data-missing"})


def space(
    name: RunName = "last",
    points: Annotated[
        int, typer.Option("--points", min=FEWEST, max=4 * MOST, help=_("How many texts are drawn at most."))
    ] = MOST,
    by: Annotated[
        By, typer.Option("--by", help=_("What colours them: their part in the search, or a label."))
    ] = "auto",
    seed: Annotated[
        int | None, typer.Option("--seed", help=_("Draws texts and lines; the run's own by default."))
    ] = None,
    again: Annotated[bool, typer.Option("--again", help=_("Lay it out anew though it is there."))] = False,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
) -> None:
    """What is typed after ``tunewiz space``."""
    finish(lambda: run_space(name, runs_dir, points, by, seed, again, as_json))


def run_space(
    which: str, folder: Path | None, points: int, by: By, seed: int | None, again: bool, as_json: bool
) -> int:
    """Draw the space of the run ``which``: files into its report, and both sides on the terminal."""
    from tunewiz.backends.space.asking import ask
    from tunewiz.backends.space.record import read

    run = find(which, runs_dir(folder))
    try:
        files = ask(run, _tell, points=points, seed=seed, by=by, anew=again)
    except ErrandFailed as fault:
        kind = BadData if any(problem.code in _DATA for problem in fault.problems) else BadPreset
        raise kind(*fault.problems) from fault
    finally:
        _clear()
    found = read(run.report / NAME)
    if found is None:
        raise BadPreset(error("space-damaged", say("{file} cannot be read.", file=run.report / NAME)))
    if as_json:
        numbers = {side: vars(getattr(found, side)) for side in ("before", "after")}
        counts = {kind: found.count(kind) for kind in ("query", "positive", "negative")}
        print(json_text({"files": [str(file) for file in files], "points": counts, **numbers}))
        return int(ExitCode.OK)
    from tunewiz.tui.panels.space import print_space

    print_space(found)
    for file in files:
        print(file)
    return int(ExitCode.OK)


def _tell(message: Message) -> None:
    """Over one another on a terminal; elsewhere, where lines stay, each step once."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{message.text()}", end="", file=sys.stderr, flush=True)
    elif "done" not in message.values and message.values.get("percent") in (None, 0):
        print(message.text(), file=sys.stderr)


def _clear() -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
