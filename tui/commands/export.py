"""``tunewiz export``: a run's model in the form that some software wants."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from backends.runs.find import find, runs_dir
from backends.targets import catalogue
from data.language import translate
from data.problems import BadPreset, ExitCode, error, say
from presets.library import load
from tui.wizard.errand import ErrandFailed, send


def run_export(which: str, folder: Path | None, target: str, out: Path | None, as_json: bool) -> int:
    """Write the run ``which`` to ``out`` as ``target``; without a target, list those there are for it."""
    run = find(which, runs_dir(folder))
    if not target:
        return _listed(load(str(run.preset_file)).task, as_json)
    if out is None:
        fix = say("For example: --out {folder}", folder=f"./{run.name}-{target}")
        raise BadPreset(error("no-out", say("Name the folder to write to with --out."), fix=fix))
    place = out.expanduser().absolute()
    try:
        use = send("backends.targets.writing:write", run, target, place)
    except ErrandFailed as fault:
        # What the child could not do is the user's to mend: the target, the folder, or the run.
        raise BadPreset(*fault.problems) from fault
    if as_json:
        print(json.dumps({"out": str(place), "target": target, "use": use.text()}, ensure_ascii=False))
    else:
        print(place)
        print(use.text(), file=sys.stderr)
    return int(ExitCode.OK)


def _listed(task: str, as_json: bool) -> int:
    found = {name: one.summary for name, one in catalogue().items() if task in one.tasks}
    if as_json:
        print(json.dumps({name: translate(words) for name, words in found.items()}, ensure_ascii=False))
        return int(ExitCode.OK)
    for name, words in found.items():
        print(f"{name:<10} {translate(words)}")
    return int(ExitCode.OK)
