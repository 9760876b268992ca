"""Checking a preset the way ``check``, ``run`` and the wizard all do."""

from __future__ import annotations

from tunewiz.backends.engines import find_engine
from tunewiz.presets.yaml import opening
from tunewiz.presets.yaml.opening import ParsedPreset
from tunewiz.problems import BadData, BadPreset, Problem, errors


def check_preset(opened: ParsedPreset) -> list[Problem]:
    """All problems of both passes, placed in the file: the preset's own, then, if it is sound, its backend's."""
    found = opened.preset.problems()
    if not errors(found):
        found = [
            *found,
            *opening.missing_data(opened.preset),
            *find_engine(opened.preset.backend).problems(opened.preset),
        ]
    return opened.placed(found)


def require_runnable(opened: ParsedPreset) -> list[Problem]:
    """What :func:`check` finds short of errors. Raises ``BadData`` if only data is missing, else ``BadPreset``."""
    found = check_preset(opened)
    wrong = errors(found)
    if not wrong:
        return found
    raise (BadData if all(problem.code == opening.DATA_NOT_FOUND for problem in wrong) else BadPreset)(*found)
