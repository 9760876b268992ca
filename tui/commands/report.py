"""``tunewiz report``: what a run brought. ``tunewiz space``: its vector space before and after training, as points."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markdown import Markdown

from tunewiz.backends.reports.next_steps import known_of, next_steps
from tunewiz.backends.runs.find import find, runs_dir
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.state import RunState
from tunewiz.backends.space.choosing import FEWEST, MOST, By
from tunewiz.backends.space.record import NAME
from tunewiz.files import read_bytes
from tunewiz.language import translate as _
from tunewiz.printable import json_text, printable
from tunewiz.problems import BadPreset, ExitCode, Message, Problem, error, note, say
from tunewiz.tui.commands.options import AsJson, RunName, RunsDir, finish, users_to_mend
from tunewiz.tui.outcome import run_json
from tunewiz.tui.words import STATUS_NAMES, problem_line

#: Problems of ``space`` that are the data's.
_DATA: Final = frozenset({"nothing-to-draw", "no-labels", "prepared-data-missing"})
LARGEST: Final = 1 << 24  # bytes of a report; ours have a thousandth


def report(name: RunName = "last", runs_dir: RunsDir = None, as_json: AsJson = False) -> None:
    """What is typed after ``tunewiz report``."""
    finish(lambda: run_report(name, runs_dir, as_json))


def run_report(which: str, folder: Path | None, json_wanted: bool) -> int:
    """Print the report of the run ``which``: rendered on a terminal, Markdown in a pipe, or JSON.

    Of a run that ended without one, what to do next is told in its place (``no-report``).
    """
    run = find(which, runs_dir(folder))
    state = read_state(run)
    if json_wanted:
        known = known_of(run, state)
        told = {"metrics": known.metrics.as_json() or None, "next": [step.text() for step in next_steps(known)]}
        print(json_text(run_json(run, state) | told))
        return int(ExitCode.OK)
    text = report_text(run.report / "report.md")
    if text is None:
        for problem in state.problems if state.status == "failed" else ():
            if problem.get("severity") == "error":
                print(problem_line(problem), file=sys.stderr)
        raise BadPreset(*_no_report(run, state))
    if sys.stdout.isatty():
        Console().print(Markdown(text))
    else:
        sys.stdout.write(text)
    return int(ExitCode.OK)


def report_text(file: Path) -> str | None:
    """A report's text, harmless for a terminal whoever wrote it; ``None`` where there is none that can be read."""
    try:
        text = read_bytes(file, LARGEST).decode("utf-8", "replace")
    except OSError:
        return None
    return "\n".join(printable(line, LARGEST) for line in text.split("\n"))


def _no_report(run: Run, state: RunState) -> Iterator[Problem]:
    """That there is none; of a run that is over also what can be done."""
    message = say("{name} has no report yet: it is {status}.", name=run.name, status=say(STATUS_NAMES[state.status]))
    if not state.over:
        yield error("no-report", message, fix=say("`tunewiz watch {name}` shows how far it is.", name=run.typed))
        return
    yield error("no-report", message)
    yield from (note("next-step", step) for step in next_steps(known_of(run, state)))


# ``tunewiz space``.


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
        with users_to_mend(_DATA):
            files = ask(run, _tell, points=points, seed=seed, by=by, anew=again)
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
