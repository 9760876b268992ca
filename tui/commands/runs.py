"""``tunewiz runs``: what ran and what runs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tunewiz.backends.runs.find import all_runs, runs_dir
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.state import RunState
from tunewiz.language import N_, translate
from tunewiz.printable import json_text, printable
from tunewiz.problems import ExitCode
from tunewiz.tui.commands.options import AsJson, RunsDir, finish
from tunewiz.tui.outcome import gain, queue_lines, run_json
from tunewiz.tui.words import STATUS_NAMES, problem_line, stage_name, stage_words, verdict_name

_TOLD: Final = 10  # runs, the newest, of which it is told why they did not end well; and of those not to be read


def runs(runs_dir: RunsDir = None, as_json: AsJson = False) -> None:
    """What is typed after ``tunewiz runs``."""
    finish(lambda: run_runs(runs_dir, as_json))


def run_runs(folder: Path | None, json_wanted: bool) -> int:
    """List the runs in ``folder``, newest last."""
    place = runs_dir(folder)
    states = [(run, read_state(run)) for run in all_runs(place)]
    if json_wanted:
        print(json_text([run_json(run, state) for run, state in states]))
        return int(ExitCode.OK)
    console = Console(highlight=False)
    _list(states, place, console)
    for line in queue_lines():
        console.print(Text(line), soft_wrap=True)
    return int(ExitCode.OK)


def _list(states: Sequence[tuple[Run, RunState]], place: Path, console: Console) -> None:
    if not states:
        console.print(
            Text(
                translate("No runs in {folder}. Start one: tunewiz run embedding/starter").format(
                    folder=printable(place, 4096)
                )
            )
        )
        return
    table = Table(box=None, pad_edge=False)
    table.add_column(
        translate(N_("run")), no_wrap=True, min_width=max(cell_len(printable(run.name)) for run, _ in states)
    )
    wide = console.width >= 100  # a run's name holds the time it began at, too
    statuses = [_status(state) for _, state in states]
    table.add_column(translate(N_("status")), no_wrap=True, min_width=max(status.cell_len for status in statuses))
    for title in (N_("verdict"), N_("before → after"), *([N_("began")] if wide else [])):
        table.add_column(translate(title), no_wrap=True)
    for (run, state), status in zip(states, statuses, strict=True):
        began = time.strftime("%m-%d %H:%M", time.localtime(state.started)) if state.started else ""
        cells = [
            Text(printable(run.name)),
            status,
            Text(verdict_name(state.verdict)),
            Text(gain(run, state)),
            Text(began),
        ]
        table.add_row(*cells[: len(table.columns)])
    console.print(table)
    for at, (run, state) in enumerate(states, start=_TOLD - len(states)):
        if state.why is not None and (at >= 0 or state.status == "unreadable"):
            console.print(Text(f"{printable(run.name)}: {problem_line(state.why)}"), soft_wrap=True)


def _status(state: RunState) -> Text:
    word = translate(STATUS_NAMES[state.status])
    if state.status != "running":
        return Text(word)
    share = f" {100 * state.step // state.total}%" if state.total else ""
    return Text(f"{stage_words(state) if state.swept else stage_name(state.stage)}{share}", style="bold")
