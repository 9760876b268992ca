"""``tunewiz run``: a preset, headless, to its verdict."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tunewiz.backends.readiness import require_runnable
from tunewiz.backends.runs.create import create
from tunewiz.backends.runs.ends import given_up, kernel_kills, kernel_kills_since
from tunewiz.backends.runs.find import find, runs_dir
from tunewiz.backends.runs.follow import Follower
from tunewiz.backends.runs.launching import launch
from tunewiz.backends.runs.process import alive
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.state import RunState
from tunewiz.backends.training.adjusting import change
from tunewiz.language import translate
from tunewiz.language import translate as _
from tunewiz.presets.checks import REMOTE_CODE
from tunewiz.presets.preset import Preset
from tunewiz.presets.yaml.library import open_preset
from tunewiz.printable import json_text, printable
from tunewiz.problems import BadPreset, ExitCode, error, say
from tunewiz.tui.commands.following import RunLines, follow_in_charge
from tunewiz.tui.commands.options import AsJson, RoleColumns, Roles, RunsDir, SetKeys, TrainFiles, finish, with_data
from tunewiz.tui.outcome import exit_code, run_json, tell_outcome
from tunewiz.tui.words import problem_line


def run(
    preset: Annotated[str | None, typer.Argument(metavar="[PRESET]", help=_("A YAML file or a preset's name."))] = None,
    settings: SetKeys = [],  # noqa: B006  typer copies it
    train: TrainFiles = [],  # noqa: B006
    mapping: RoleColumns = [],  # noqa: B006
    roles: Roles = [],  # noqa: B006
    runs_dir: RunsDir = None,
    name: Annotated[str | None, typer.Option("--name", help=_("Name of the run, in place of the preset's."))] = None,
    detach: Annotated[bool, typer.Option("--detach", help=_("Return at once; the run goes on by itself."))] = False,
    as_json: AsJson = False,
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="RUN", help=_("Go on with a run that stopped or broke."))
    ] = None,
    fail_on_regression: Annotated[
        bool, typer.Option("--fail-on-regression", help=_("Exit with 5 when the tuned model is worse."))
    ] = False,
) -> None:
    """What is typed after ``tunewiz run``."""

    def body() -> int:
        told = with_data(settings, train, mapping, roles)
        return run_run(RunOptions(preset, told, runs_dir, name, detach, as_json, resume, fail_on_regression))

    finish(body)


@dataclass(frozen=True)
class RunOptions:
    """What the command line said."""

    preset: str | None
    settings: Sequence[str] = ()
    runs_dir: Path | None = None
    name: str | None = None
    detach: bool = False
    as_json: bool = False
    resume: str | None = None
    fail_on_regression: bool = False


def run_run(options: RunOptions) -> int:
    """Start or resume a run and follow it to its end, unless it is detached. Raises ``TunewizError``."""
    folder = runs_dir(options.runs_dir)
    lines = RunLines()
    if options.resume is not None:
        run = _resumed(options, folder)
    else:
        preset = _checked(options, lines)
        run = create(preset, folder, options.name, sys.argv)
    follower = Follower(run)
    follower.update()  # what a resumed run told before is not told again
    kills = kernel_kills()
    child = launch(run, lambda problem: lines.say(problem_line(problem.as_json())))
    words = translate("Run {name} in {folder}")
    lines.say(words.format(name=printable(run.name), folder=printable(run.directory, 4096)))
    if options.detach:
        return _detached(run, options, lines)
    state = follow_in_charge(follower, lines, child)
    state, code = _ended(run, state, child.wait(), kernel_kills_since(kills), lines)
    return _told(run, state, options, code)


def _checked(options: RunOptions, lines: RunLines) -> Preset:
    if not options.preset:
        problem = say("Nothing to run: neither a preset nor --resume was given.")
        raise BadPreset(error("no-preset", problem, fix=say("For example: tunewiz run embedding/starter")))
    opened = open_preset(options.preset, options.settings)
    for found in require_runnable(opened, options.runs_dir):
        # The run tells of it too, for whoever looks at it later: who stays to watch is not told twice.
        if found.code != REMOTE_CODE or options.detach:
            lines.say(problem_line(found.as_json()))
    return opened.preset


def _resumed(options: RunOptions, folder: Path) -> Run:
    if options.preset or options.name is not None:
        problem = say("--resume goes on with a run that has its preset and its name: give neither.")
        raise BadPreset(error("resume-alone", problem, fix=say("Leave them out, or start a new run without --resume.")))
    run = find(options.resume or "last", folder)
    if options.settings and not alive(run):  # of one that goes on the launch tells
        change(run, options.settings)
    return run


def _detached(run: Run, options: RunOptions, lines: RunLines) -> int:
    lines.say(
        translate("It goes on without this terminal. Look at it with: {command}").format(
            command=f"tunewiz watch {run.typed}"
        )
    )
    if options.as_json:
        print(json_text({"name": run.name, "directory": str(run.directory)}))
    else:
        print(run.directory)
    return int(ExitCode.OK)


def _ended(run: Run, state: RunState, status: int, kills: int | None, lines: RunLines) -> tuple[RunState, int | None]:
    """The state, and the exit code, of a run that nobody was left to tell the end of: this process saw it."""
    if state.status != "lost":
        return state, None
    problem, code = given_up(run, status, kills)
    lines.say(problem_line(problem.as_json()))
    return replace(state, problems=(*state.problems[:-1], problem.record())), int(code)


def _told(run: Run, state: RunState, options: RunOptions, code: int | None) -> int:
    result = code if code is not None else exit_code(state, options.fail_on_regression)
    if options.as_json:
        print(json_text(run_json(run, state) | {"exit_code": result}))
    else:
        tell_outcome(run, state, Console(highlight=False), why=code is None)
    return result
