"""Checking a preset the way ``check``, ``run`` and the wizard all do."""

from __future__ import annotations

from backends.catalogue import find
from data.problems import BadData, BadPreset, Problem, errors
from presets import datafiles
from presets.opening import Opened


def check(opened: Opened) -> list[Problem]:
    """All problems of both passes, placed in the file: the preset's own, then, if it is sound, its backend's."""
    found = opened.preset.problems()
    if not errors(found):
        found = [*found, *datafiles.missing(opened.preset), *find(opened.preset.backend).problems(opened.preset)]
    return opened.placed(found)


def checked(opened: Opened) -> list[Problem]:
    """What :func:`check` finds short of errors. Raises ``BadData`` if only data is missing, else ``BadPreset``."""
    found = check(opened)
    wrong = errors(found)
    if not wrong:
        return found
    raise (BadData if all(problem.code == datafiles.CODE for problem in wrong) else BadPreset)(*found)
