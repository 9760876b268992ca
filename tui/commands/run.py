"""``tunewiz run``: a preset, headless, to its verdict."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tunewiz.backends.outside.slurm import is_option, submit
from tunewiz.backends.outside.slurm import options as slurm_options
from tunewiz.backends.readiness import require_runnable
from tunewiz.backends.runs.create import create
from tunewiz.backends.runs.ends import given_up, kernel_kills, kernel_kills_since
from tunewiz.backends.runs.find import all_runs, find, runs_dir
from tunewiz.backends.runs.follow import Follower, read_state
from tunewiz.backends.runs.launching import launch
from tunewiz.backends.runs.process import alive
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.state import RunState
from tunewiz.backends.training.adjusting import change
from tunewiz.language import translate
from tunewiz.language import translate as _
from tunewiz.presets.checks import REMOTE_CODE
from tunewiz.presets.preset import Preset
from tunewiz.presets.sweeping import setting
from tunewiz.presets.yaml.library import load, open_preset
from tunewiz.printable import json_text, printable
from tunewiz.problems import BadPreset, ExitCode, Problem, Where, error, say
from tunewiz.tui.commands.following import RunLines, follow_in_charge
from tunewiz.tui.commands.options import (
    AsJson,
    RoleColumns,
    Roles,
    RunsDir,
    SetKeys,
    Swept,
    TrainFiles,
    finish,
    with_data,
)
from tunewiz.tui.commands.watch import run_watch
from tunewiz.tui.outcome import exit_code, run_json, tell_outcome
from tunewiz.tui.queueing import detached, queue
from tunewiz.tui.words import problem_line


def run(
    presets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PRESET", help=_("YAML files or presets' names; several run one after another, or one a GPU.")
        ),
    ] = None,
    settings: SetKeys = [],  # noqa: B006  typer copies it
    train: TrainFiles = [],  # noqa: B006
    mapping: RoleColumns = [],  # noqa: B006
    roles: Roles = [],  # noqa: B006
    sweep: Swept = [],  # noqa: B006
    runs_dir: RunsDir = None,
    name: Annotated[str | None, typer.Option("--name", help=_("Name of the run, in place of the preset's."))] = None,
    detach: Annotated[bool, typer.Option("--detach", help=_("Return at once; the run goes on by itself."))] = False,
    as_json: AsJson = False,
    resume: Annotated[
        list[str],
        typer.Option("--resume", metavar="RUN", help=_("Go on with a run that stopped or broke; repeatable.")),
    ] = [],  # noqa: B006
    slurm: Annotated[
        bool,
        typer.Option(
            "--slurm",
            help=_(
                "Hand the run to Slurm; options of the job follow as words: partition=gpu gpus=1 time=4:00:00. Without "
                "sbatch the script is written only."
            ),
        ),
    ] = False,
    fail_on_regression: Annotated[
        bool, typer.Option("--fail-on-regression", help=_("Exit with 5 when the tuned model is worse."))
    ] = False,
) -> None:
    """What is typed after ``tunewiz run``."""

    def body() -> int:
        told = [*with_data(settings, train, mapping, roles), *setting(sweep)]
        words = presets or []
        job = [word for word in words if is_option(word)] if slurm else []
        named = [word for word in words if word not in job]
        return run_run(
            RunOptions(named, told, runs_dir, name, detach, as_json, resume, fail_on_regression, job if slurm else None)
        )

    finish(body)


@dataclass(frozen=True)
class RunOptions:
    """What the command line said."""

    presets: Sequence[str]
    settings: Sequence[str] = ()
    runs_dir: Path | None = None
    name: str | None = None
    detach: bool = False
    as_json: bool = False
    resume: Sequence[str] = ()
    fail_on_regression: bool = False
    slurm: Sequence[str] | None = None


def run_run(options: RunOptions) -> int:
    """Start or resume runs and follow them to their end, unless they are detached. Raises ``TunewizError``."""
    lines = RunLines()
    wanted = None if options.slurm is None else slurm_options(options.slurm)
    if wanted and "nodes" in wanted:
        options = replace(options, settings=[*options.settings, f"launch.nodes={wanted['nodes']}"])
    runs = _runs(options, lines)
    if wanted is not None:
        return _handed_over(runs, wanted, options, lines)
    if len(runs) > 1:
        return queue(runs, lines, options.detach, options.as_json, options.fail_on_regression)
    (run,) = runs
    if not options.resume and alive(run):
        return run_watch([str(run.directory)], None, options.as_json)
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


def _handed_over(runs: Sequence[Run], wanted: Mapping[str, str], options: RunOptions, lines: RunLines) -> int:
    """Hand the runs to Slurm and follow them, unless they are detached. Ctrl-C leaves them: they are the cluster's."""
    jobs = [submit(run, {"nodes": str(load(str(run.preset_file)).launch.nodes), **wanted}) for run in runs]
    for run, job in zip(runs, jobs, strict=True):
        if job.id:
            words = translate("Run {name} is job {number} of Slurm; its script: {file}")
            lines.say(words.format(name=printable(run.name), number=job.id, file=printable(job.script, 4096)))
    if not all(job.id for job in jobs):
        lines.say(translate("There is no sbatch here: nothing was handed over. The script, for a machine that has it:"))
        for job in jobs:
            print(job.script)
        return int(ExitCode.FAILED)
    if options.detach:
        return _detached(runs[0], options, lines) if len(runs) == 1 else detached(runs, lines, options.as_json)
    return run_watch([str(run.directory) for run in runs], None, options.as_json)


def _runs(options: RunOptions, lines: RunLines) -> list[Run]:
    """The runs that are wanted; none is made before every preset was found fit. Raises ``BadPreset``."""
    folder = runs_dir(options.runs_dir)
    if options.resume:
        return _resumed(options, folder)
    if not options.presets:
        problem = say("Nothing to run: neither a preset nor --resume was given.")
        raise BadPreset(error("no-preset", problem, fix=say("For example: tunewiz run embedding/starter")))
    if options.name is not None and len(options.presets) > 1:
        problem = say("--name names one run; {count} presets were given.", count=len(options.presets))
        raise BadPreset(error("name-of-many", problem, Where("--name"), say("Leave it out: each has its own name.")))
    wrong: list[Problem] = []
    presets = []
    for named in options.presets:
        try:
            presets.append(_checked(named, options, lines))
        except BadPreset as fault:
            wrong += [_of(named, problem) for problem in fault.problems] if len(options.presets) > 1 else fault.problems
    if wrong:
        raise BadPreset(*wrong)
    return [
        _begun_before(preset, folder, lines) or create(preset, folder, options.name, sys.argv) for preset in presets
    ]


def _begun_before(preset: Preset, folder: Path, lines: RunLines) -> Run | None:
    """The run of the very same sweep that is not finished: typed again, a sweep goes on."""
    for run in reversed(all_runs(folder) if preset.several else []):
        if run.name.startswith(preset.name) and _is_of(run, preset) and read_state(run).status != "finished":
            words = translate("This sweep was begun as {name}: it goes on, and what is finished is not repeated.")
            lines.say(words.format(name=printable(run.name)))
            return run
    return None


def _is_of(run: Run, preset: Preset) -> bool:
    try:
        return load(str(run.preset_file)) == preset
    except BadPreset:
        return False


def _of(named: str, problem: Problem) -> Problem:
    """``problem`` with the preset that has it, where it names no file."""
    where = problem.where
    return problem if where.file else replace(problem, where=replace(where, file=named))


def _checked(named: str, options: RunOptions, lines: RunLines) -> Preset:
    opened = open_preset(named, options.settings)
    for found in require_runnable(opened, options.runs_dir, elsewhere=options.slurm is not None):
        # The run tells of it too, for whoever looks at it later: who stays to watch is not told twice.
        if found.code != REMOTE_CODE or options.detach:
            lines.say(problem_line(found.as_json()))
    return opened.preset


def _resumed(options: RunOptions, folder: Path) -> list[Run]:
    if options.presets or options.name is not None:
        problem = say("--resume goes on with a run that has its preset and its name: give neither.")
        raise BadPreset(error("resume-alone", problem, fix=say("Leave them out, or start a new run without --resume.")))
    runs = list(dict.fromkeys(find(which or "last", folder) for which in options.resume))
    for run in runs:
        if options.settings and not alive(run):  # of one that goes on the launch tells
            change(run, options.settings)
    return runs


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
