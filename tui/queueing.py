"""Several runs from one command: one after another on a processor or one GPU, on several GPUs one a card.

Each run waits for its turn by itself (:mod:`tunewiz.backends.machine.places`), so that a queue outlives its terminal
as a run does.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from tunewiz.backends.machine.places import until_in_line, wish
from tunewiz.backends.runs.follow import Follower
from tunewiz.backends.runs.launching import launch
from tunewiz.backends.runs.process import alive
from tunewiz.backends.runs.run import Run
from tunewiz.language import translate
from tunewiz.printable import json_text, printable
from tunewiz.problems import ExitCode
from tunewiz.tui.commands.following import RunLines, SeveralLines, follow_all_in_charge
from tunewiz.tui.outcome import ending, exit_code, run_json
from tunewiz.tui.words import problem_line

#: From good to bad, so that the exit code of several runs is that of the worst: a wrong preset says more than a stop.
_WORSE: Final = (
    ExitCode.OK, ExitCode.WORSE, ExitCode.STOPPED, ExitCode.BAD_DATA, ExitCode.BAD_PRESET, ExitCode.OUT_OF_MEMORY,
    ExitCode.FAILED,
)  # fmt: skip


#: Between the turns of two runs: room for those of the runs that a sweep consists of.
APART: Final = 1000


def queue(runs: Sequence[Run], lines: RunLines, detach: bool, as_json: bool, fail_on_regression: bool) -> int:
    """Launch ``runs`` in this order and follow them to their end, unless ``detach``; the worst of their exit codes.

    One that fails does not keep the others from their turns. Raises ``TunewizError`` where one cannot be launched.
    """
    followers = [Follower(run) for run in runs]
    for follower in followers:
        follower.update()
    first, children = time.time_ns(), []
    for place, run in enumerate(runs):
        if alive(run):  # with --resume, of a queue whose terminal is gone
            continue
        children.append(launch(run, lambda problem: lines.say(problem_line(problem.as_json())), first + APART * place))
        if place + 1 < len(runs) and wish(run, queued=True) is not None:
            until_in_line(children[-1])
        words = translate("Run {name} in {folder}")
        lines.say(words.format(name=printable(run.name), folder=printable(run.directory, 4096)))
    if detach:
        return detached(runs, lines, as_json)
    several = SeveralLines([run.name for run in runs])
    states = follow_all_in_charge(followers, several, children)
    for child in children:
        child.wait()
    codes = [exit_code(state, fail_on_regression) for state in states]
    if as_json:
        told = zip(runs, states, codes, strict=True)
        print(json_text([run_json(run, state) | {"exit_code": code} for run, state, code in told]))
    else:
        for run, state in zip(runs, states, strict=True):
            print(ending(run, state))
    left = [run for run, state in zip(runs, states, strict=True) if state.status in ("stopped", "failed", "lost")]
    if left:
        again = " ".join(f"--resume {run.typed}" for run in left)
        several.say(translate("Go on with: {command}").format(command=f"tunewiz run {again}"))
    return worst(codes)


def worst(codes: Sequence[int]) -> int:
    """The worst of several exit codes; one that is none of ours counts as a failure."""
    known = [ExitCode(code) if code in set(ExitCode) else ExitCode.FAILED for code in codes]
    return int(max(known, key=_WORSE.index, default=ExitCode.OK))


def detached(runs: Sequence[Run], lines: RunLines, as_json: bool) -> int:
    """Tell of runs that go on without this terminal, and where they are."""
    command = "tunewiz watch " + " ".join(run.typed for run in runs)
    lines.say(translate("They go on without this terminal. Look at them with: {command}").format(command=command))
    if as_json:
        print(json_text([{"name": run.name, "directory": str(run.directory)} for run in runs]))
    else:
        for run in runs:
            print(run.directory)
    return int(ExitCode.OK)
