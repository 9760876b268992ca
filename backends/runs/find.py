"""Finding runs: by directory, by name, or ``last``."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Final

from tunewiz.backends.runs.run import Run
from tunewiz.problems import BadPreset, Problem, error, say

VARIABLE: Final = "TUNEWIZ_RUNS"
_KNOWN_BY: Final = ("preset.yaml", "events.jsonl", "run.json")
_NAMED: Final = re.compile(r".+-\d{8}-\d{6}(-\d+)?")


def runs_dir(given: Path | None = None) -> Path:
    """Where runs are: what was given, else ``$TUNEWIZ_RUNS``, else ``./runs``."""
    wanted = given or Path(os.environ.get(VARIABLE) or "runs")
    try:
        return wanted.expanduser().absolute()
    except RuntimeError:  # ~ of a user who is not known
        return wanted.absolute()


def all_runs(folder: Path) -> list[Run]:
    """The runs in ``folder``, oldest first, whether or not they can be read; none where there is no such folder."""
    try:
        found = [Run(path) for path in folder.iterdir() if _is_run(path)]
    except (OSError, ValueError):
        return []
    return sorted(found, key=lambda run: (_created(run), run.name))


def _is_run(folder: Path) -> bool:
    """Whether ``folder`` holds anything by which runs are known, or is called like one and cannot be looked into."""
    try:
        if not folder.is_dir():
            return False
        if not os.access(folder, os.X_OK):
            return _NAMED.fullmatch(folder.name) is not None
        return any(os.path.lexists(folder / name) for name in _KNOWN_BY)
    except (OSError, ValueError):
        return False


def find(which: str, folder: Path) -> Run:
    """The run that ``which`` means: a directory, a name in ``folder`` (or its unique beginning), or ``last``.

    Raises ``BadPreset`` when there is none or more than one.

    >>> run = find("last", runs_dir())
    >>> find(run.name, runs_dir()) == find(str(run.directory), runs_dir()) == run
    True
    """
    direct = _folder(which)
    if direct is not None:
        return Run(direct)
    runs = all_runs(folder)
    if which == "last" and runs:
        return runs[-1]
    matching = [run for run in runs if run.name == which] or [run for run in runs if run.name.startswith(which)]
    if len(matching) == 1:
        return matching[0]
    raise BadPreset(_ambiguous(which, matching) if matching else _missing(which, folder, runs))


def _folder(which: str) -> Path | None:
    """``which`` as the folder of a run; ``None`` where no path can look like that, or no run is there."""
    try:
        path = Path(which).expanduser().absolute()
    except (OSError, RuntimeError):  # ~ of a user who is not known
        return None
    return path if which and _is_run(path) else None


def _created(run: Run) -> float:
    for path in (run.preset_file, run.directory):
        try:
            return path.stat().st_mtime
        except OSError:
            continue
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
