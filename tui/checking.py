"""Checking a preset the way ``check``, ``run`` and the wizard all do."""

from __future__ import annotations

from backends.catalogue import find
from data.problems import Problem, errors
from presets.opening import Opened


def check(opened: Opened) -> list[Problem]:
    """All problems of both passes, placed in the file: the preset's own, then, if it is sound, its backend's."""
    found = opened.preset.problems()
    if not errors(found):
        found = found + find(opened.preset.backend).problems(opened.preset)
    return opened.placed(found)
