"""How runs stand and how they ended: measures before and after, exit code, one JSON object, lines for people; and all
the runs of a folder, looked at again and again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tunewiz.backends.evaluate.verdict import VERDICTS
from tunewiz.backends.machine.places import holders, told, waiting
from tunewiz.backends.runs.find import all_runs
from tunewiz.backends.runs.follow import Follower
from tunewiz.backends.runs.process import alive
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.state import RunState
from tunewiz.files import read_object
from tunewiz.language import N_, translate
from tunewiz.printable import duration, printable
from tunewiz.problems import ExitCode, reworded
from tunewiz.tui.words import STATUS_NAMES, problem_line, stage_name, stage_words, status_name, sweep_best, verdict_name

#: Measures that tell most of a run, by the beginning of their name; the first that was measured is shown in lists.
_TELLING = ("ndcg", "accuracy", "preference_accuracy", "loss")


def measures_of(state: RunState, when: str) -> Mapping[str, float]:
    """The model's measures ``before`` or ``after``, whatever was measured; a search before it is not the model's."""
    return next(
        (
            numbers
            for key, numbers in state.measured.items()
            if key.startswith(f"{when}:") and not key.endswith(":search")
        ),
        {},
    )


def _before(state: RunState) -> Mapping[str, float]:
    """What there was without training: the untouched model, or the search alone where a reranker's head is fresh."""
    return measures_of(state, "before") or state.measured.get("before:search", {})


def gain(run: Run, state: RunState) -> str:
    """The measure that decides, or until that is told the most telling one, before and after; "" without both.

    Of a sweep that goes on the best run so far.
    """
    from tunewiz.backends.reports.metrics_file import MetricsFile  # with pydantic: not before there is a run to show

    before, after = _before(state), measures_of(state, "after")
    known = [name for name, value in after.items() if value is not None and before.get(name) is not None]
    shared = [name for start in _TELLING for name in known if name.startswith(start)]
    decides = MetricsFile.of(run.report).primary if shared else ""
    name = decides if decides in known else next(iter(shared), None)
    return f"{printable(name, 16)} {before[name]:.3f} → {after[name]:.3f}" if name else sweep_best(state)


def ending(run: Run, state: RunState) -> str:
    """How it ended in one line: name, verdict or status, the measure that decides."""
    word = verdict_name(state.verdict) if state.verdict not in ("", "NONE") else translate(STATUS_NAMES[state.status])
    return "  ".join(part for part in (printable(run.name), word, gain(run, state)) if part)


def exit_code(state: RunState, fail_on_regression: bool = False) -> int:
    """What a command that waited for the run tells the shell."""
    if state.status == "finished" and fail_on_regression and state.verdict == "REGRESSION":
        return int(ExitCode.WORSE)
    if state.exit_code is not None:
        return state.exit_code if 0 <= state.exit_code < 256 else int(ExitCode.FAILED)
    return int(ExitCode.FAILED if state.over else ExitCode.OK)


def run_json(run: Run, state: RunState) -> dict[str, Any]:
    """The run in one JSON object: status, verdict, metrics, problems and where things are."""
    return {
        "name": run.name,
        "directory": str(run.directory),
        "status": state.status,
        "alive": alive(run),
        "stage": state.stage,
        "step": state.step,
        "total": state.total,
        "task": state.task,
        "model": state.model,
        "verdict": state.verdict,
        "exit_code": state.exit_code,
        "before": dict(_before(state)),
        "after": dict(measures_of(state, "after")),
        "values": dict(state.values),
        **({"sweep": _sweep_json(state)} if state.swept else {}),
        "seconds": dict(state.seconds),
        "problems": [dict(problem) for problem in state.problems],
        "exported": str(run.model) if run.model.is_dir() else "",
        "report": str(run.report / "report.md") if (run.report / "report.md").is_file() else "",
        "created": read_object(run.record_file).get("created"),
    }


def _sweep_json(state: RunState) -> dict[str, Any]:
    """Its runs in the order they began in, and the number of the best so far."""
    runs = [
        {"number": one.number, "point": one.point, "status": one.status, "values": dict(one.values)}
        for one in state.swept.values()
    ]
    return {"count": max(one.count for one in state.swept.values()), "best": state.best or None, "runs": runs}


def tell_outcome(run: Run, state: RunState, console: Console, why: bool = True) -> None:
    """Print how the run stands: status or verdict, before → after, where the model and report are, what comes next.

    ``why``: also why it is lost, where nobody has told yet.
    """
    if any(value is not None for value in measures_of(state, "after").values()):
        console.print(comparison(state))
    if state.verdict in VERDICTS:
        console.print(Text(VERDICTS[state.verdict].sentence.text(), style="bold"))
    elif state.status != "finished":
        console.print(_status_line(run, state))
    for label, path, there in (
        (translate("Model"), run.model, run.model.is_dir()),
        (translate("Report"), run.report / "report.md", (run.report / "report.md").is_file()),
        (translate("Log"), run.log_file, state.status in ("failed", "lost")),
    ):
        if there:
            console.print(Text(f"{label}: {printable(path, 4096)}"), soft_wrap=True)
    if why and state.why is not None and state.status != "failed":  # how it failed was told when it did
        console.print(Text(problem_line(state.why)), soft_wrap=True)
    if state.status in ("stopped", "failed", "lost"):
        going_on = translate("Go on with: {command}").format(command=f"tunewiz run --resume {run.typed}")
        console.print(Text(going_on), soft_wrap=True)


def comparison(state: RunState) -> Table:
    """Before, after and difference of each metric."""
    before, after = _before(state), measures_of(state, "after")
    table = Table(box=None, pad_edge=False)
    for title in (N_("metric"), N_("before"), N_("after"), N_("difference")):
        table.add_column(translate(title), justify="left" if title == "metric" else "right")
    for name, value in after.items():
        if value is None:
            continue
        earlier = before.get(name)
        shown = (
            (f"{earlier:.4f}", f"{value:.4f}", f"{value - earlier:+.4f}")
            if earlier is not None
            else ("", f"{value:.4f}", "")
        )
        table.add_row(Text(name), *shown)
    return table


def _status_line(run: Run, state: RunState) -> Text:
    word = translate(STATUS_NAMES[state.status])
    where = f" ({stage_name(state.stage)})" if state.stage else ""
    return Text(f"{printable(run.name)}: {word}{where}", style="bold")


# The runs of a folder with how each stands; looked at again and again, read only where something changed.


@dataclass(frozen=True)
class Listed:
    """A run and how it stands; ``alive`` says whether its process does."""

    run: Run
    state: RunState
    alive: bool

    @property
    def status(self) -> str:
        """Its status, in the current language."""
        return status_name(self.state)

    @property
    def progress(self) -> str:
        """Stage, share and time left of a run that goes on; otherwise its status or verdict."""
        state = self.state
        if state.over or not state.stage:
            return verdict_name(state.verdict) if state.verdict not in ("", "NONE") else self.status
        share = f" {state.step / state.total:.0%}" if state.total else ""
        left = "  " + translate("{time} left").format(time=duration(state.remaining)) if state.remaining else ""
        return f"{stage_words(state)}{share}{left}"

    @cached_property
    def gain(self) -> str:
        """The main measure, before → after, or why nothing can be read; empty while there is none."""
        if self.state.status == "unreadable" and self.state.why is not None:
            return printable(reworded(self.state.why).get("message", ""))
        return gain(self.run, self.state)


class _Known(NamedTuple):
    follower: Follower
    listed: Listed
    size: int


class Listing:
    """All runs under a folder, oldest first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, _Known] = {}

    def look(self) -> tuple[Listed, ...]:
        """The runs now. Only those that live, or whose events grew, are read."""
        runs = all_runs(self._folder)
        self._known = {run.name: self._looked_at(run) for run in runs}
        return tuple(known.listed for known in self._known.values())

    def _looked_at(self, run: Run) -> _Known:
        known = self._known.get(run.name)
        size, living = _size(run.events_file), alive(run)
        if known and known.size == size and known.listed.alive == living:
            return known
        follower = known.follower if known and size >= known.size else Follower(run)
        state, _ = follower.update()
        return _Known(follower, Listed(run, state, living), size)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


# The queue of the machine, whoever's runs are in it.


def queue_lines() -> list[str]:
    """Who holds which place of this machine and who waits for one; none without a queue."""
    held, waits = holders(), waiting()
    if not held and not waits:
        return []
    numbered = [f"  {number}. {told(one)}" for number, one in enumerate(waits, 1)]
    return [
        "",
        translate("The queue of this machine:"),
        *(f"  {told(one)}" for one in held),
        *([translate("Waiting for their turn:"), *numbered] if numbered else []),
    ]
