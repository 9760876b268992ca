"""``tunewiz compare``: runs on one page: what was measured, what of it is more than chance, which settings differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tunewiz.backends.evaluate.verdict import Comparison
from tunewiz.backends.reports.efforts import effort_facts, efforts
from tunewiz.backends.reports.metrics_file import MetricsFile
from tunewiz.backends.runs.comparing import Pairing, Row, differences, laid_beside, measures, pairings
from tunewiz.backends.runs.find import find, runs_dir
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.state import RunState
from tunewiz.language import N_, translate
from tunewiz.language import translate as _
from tunewiz.printable import json_text, printable
from tunewiz.problems import BadPreset, ExitCode, error, say
from tunewiz.tui.commands.options import AsJson, RunsDir, finish


def compare(
    names: Annotated[
        list[str], typer.Argument(metavar="RUN...", help=_("Two runs or more; or one that holds several."))
    ],
    hourly: Annotated[
        float | None,
        typer.Option("--cost-per-hour", metavar="PRICE", min=0.0, help=_("Of the machine: tells what runs cost.")),
    ] = None,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
) -> None:
    """What is typed after ``tunewiz compare``."""
    finish(lambda: run_compare(names, runs_dir, as_json, hourly))


def run_compare(names: Sequence[str], folder: Path | None, as_json: bool, hourly: float | None = None) -> int:
    """Print the runs ``names`` side by side, every one against the first; one JSON object if wanted.

    One name is that of a sweep or a comparison, and stands for the runs in it.

    ``hourly``: what an hour of the machine costs.
    """
    place = runs_dir(folder)
    runs = list(dict.fromkeys(find(name, place) for name in names))
    runs = laid_beside(runs[0]) or runs if len(runs) == 1 else runs
    if len(runs) < 2:
        fix = say("For example: tunewiz compare first-run last, or a sweep or a comparison alone.")
        raise BadPreset(error("one-run", say("Comparing takes two runs or more."), fix=fix))
    states = [read_state(run) for run in runs]
    paired = pairings(runs)
    if as_json:
        print(json_text(_facts(runs, states, paired) | {"effort": effort_facts(runs, states, hourly)}))
        return int(ExitCode.OK)
    console = Console(highlight=False)
    for number, run in enumerate(runs, 1):
        console.print(Text(f"[{number}] {printable(run.name)}  {states[number - 1].verdict}".rstrip()), soft_wrap=True)
    _print(console, N_("Measures, before → after"), measures(states), N_("None of them has been measured yet."))
    console.print(Text("\n" + translate("Against [1], query by query"), style="bold"))
    for number, pair in enumerate(paired, 2):
        for line in _told(number, pair, _primary(runs[0])):
            console.print(Text(line), soft_wrap=True)
    _print(console, N_("What they took"), efforts(runs, states, hourly), N_("That is not known of any of them."))
    _print(console, N_("Settings that differ"), differences(runs), N_("None: the presets are alike."))
    return int(ExitCode.OK)


def _facts(runs: Sequence[Run], states: Sequence[RunState], paired: Sequence[Pairing]) -> dict[str, Any]:
    names = [run.name for run in runs]
    listed = zip(runs, states, strict=True)
    return {
        "runs": [
            {"name": run.name, "directory": str(run.directory), "verdict": state.verdict} for run, state in listed
        ],
        "measured": {run.name: dict(state.measured) for run, state in zip(runs, states, strict=True)},
        "paired": [
            {
                "first": pair.first,
                "other": pair.other,
                "why_not": pair.why_not.text() if pair.why_not else "",
                "metrics": {name: _numbers(one) for name, one in pair.comparisons.items()},
            }
            for pair in paired
        ],
        "settings": {row.name: dict(zip(names, row.values, strict=True)) for row in differences(runs)},
    }


def _numbers(one: Comparison) -> dict[str, Any]:
    kept = ("difference", "low", "high", "wins", "losses", "ties", "queries", "certain")
    return {"first": one.before, "other": one.after} | {key: one.record()[key] for key in kept}


def _print(console: Console, title: str, rows: Sequence[Row], empty: str) -> None:
    console.print(Text("\n" + translate(title), style="bold"))
    if not rows:
        console.print(Text(translate(empty)))
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for number in range(1, len(rows[0].values) + 1):
        table.add_column(f"[{number}]".replace("[", "\\["), overflow="fold")
    for row in rows:
        table.add_row(Text(printable(row.name)), *(Text(printable(value) if value else "—") for value in row.values))
    console.print(table)


def _primary(run: Run) -> str:
    return MetricsFile.of(run.report).primary


def _told(number: int, pair: Pairing, primary: str) -> Iterator[str]:
    """One line a metric, the one that decides first and marked."""
    if pair.why_not is not None:
        yield f"[{number}] {pair.why_not.text()}"
        return
    words = translate("{wins} better, {losses} worse, {ties} the same")
    for name, one in sorted(pair.comparisons.items(), key=lambda item: item[0] != primary):
        mark = "▸" if name == primary else " "
        change = f"{one.difference:+.4f} ({one.low:+.4f} … {one.high:+.4f})"
        counts = words.format(wins=one.wins, losses=one.losses, ties=one.ties)
        chance = "" if one.certain else "  " + translate("(may be chance)")
        yield f"[{number}] {mark} {name:<10} {change}  {counts}{chance}"
