"""Checking a preset the way ``check``, ``run`` and the wizard all do."""

from __future__ import annotations

from pathlib import Path

from tunewiz.backends.engines import find_engine
from tunewiz.backends.runs.disk import disk_problems
from tunewiz.backends.runs.find import runs_dir
from tunewiz.presets.yaml import opening
from tunewiz.presets.yaml.opening import ParsedPreset
from tunewiz.problems import BadData, BadPreset, Problem, errors


def check_preset(opened: ParsedPreset, runs: Path | None = None) -> list[Problem]:
    """All problems of both passes, placed in the file: the preset's own, then, if it is sound, its backend's.

    ``runs`` is where the run is to be, for the room on its disk; by default where runs are.
    """
    found = opened.preset.problems()
    if not errors(found):
        found = [
            *found,
            *opening.missing_data(opened.preset),
            *find_engine(opened.preset.backend).problems(opened.preset),
            *disk_problems(opened.preset, runs_dir(runs)),
        ]
    return opened.placed(found)


def require_runnable(opened: ParsedPreset, runs: Path | None = None) -> list[Problem]:
    """What :func:`check` finds short of errors. Raises ``BadData`` if only data is missing, else ``BadPreset``."""
    found = check_preset(opened, runs)
    wrong = errors(found)
    if not wrong:
        return found
    raise (BadData if all(problem.code == opening.DATA_NOT_FOUND for problem in wrong) else BadPreset)(*found)
