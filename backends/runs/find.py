"""Finding runs: by directory, by name, or ``last``."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Final

from tunewiz.backends.runs.run import Run
from tunewiz.problems import BadPreset, Problem, error, say

VARIABLE: Final = "TUNEWIZ_RUNS"


def runs_dir(given: Path | None = None) -> Path:
    """Where runs are: what was given, else ``$TUNEWIZ_RUNS``, else ``./runs``."""
    return (given or Path(os.environ.get(VARIABLE) or "runs")).expanduser().absolute()


def all_runs(folder: Path) -> list[Run]:
    """The runs in ``folder``, oldest first."""
    found = [Run(path.parent) for path in folder.glob("*/preset.yaml")] if folder.is_dir() else []
    return sorted(found, key=lambda run: (_created(run), run.name))


def find(which: str, folder: Path) -> Run:
    """The run that ``which`` means: a directory, a name in ``folder`` (or its unique beginning), or ``last``.

    Raises ``BadPreset`` when there is none or more than one.

    >>> run = find("last", runs_dir())
    >>> find(run.name, runs_dir()) == find(str(run.directory), runs_dir()) == run
    True
    """
    direct = Path(which).expanduser()
    if (direct / "preset.yaml").is_file():
        return Run(direct.absolute())
    runs = all_runs(folder)
    if which == "last" and runs:
        return runs[-1]
    matching = [run for run in runs if run.name == which] or [run for run in runs if run.name.startswith(which)]
    if len(matching) == 1:
        return matching[0]
    raise BadPreset(_ambiguous(which, matching) if matching else _missing(which, folder, runs))


def _created(run: Run) -> float:
    try:
        return run.preset_file.stat().st_mtime
    except OSError:
        return 0.0


def _ambiguous(which: str, matching: list[Run]) -> Problem:
    names = ", ".join(run.name for run in matching[:5])
    return error(
        "run-ambiguous",
        say("{which} could be any of {count} runs: {names}.", which=which, count=len(matching), names=names),
        fix=say("Give more of the name."),
    )


def _missing(which: str, folder: Path, runs: list[Run]) -> Problem:
    # Half of it is enough: the name of a run ends in sixteen characters of date and time, which people leave out.
    close = difflib.get_close_matches(which, [run.name for run in runs], n=1, cutoff=0.5)
    fix = say("Did you mean {name}?", name=close[0]) if close else say("`tunewiz runs` lists them.")
    return error("run-not-found", say("There is no run {which} in {folder}.", which=which, folder=folder), fix=fix)
