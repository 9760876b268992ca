"""Opening a preset and checking it the way ``check``, ``run`` and the wizard all do."""

from __future__ import annotations

from collections.abc import Sequence

from backends.catalogue import find
from data.problems import Problem, errors
from presets.library import load, override
from presets.preset import Preset


def opened(which: str, settings: Sequence[str] = ()) -> Preset:
    """The preset ``which`` (path or name) with ``settings`` (KEY=VALUE) applied. Raises ``BadPreset``."""
    preset = load(which)
    return override(preset, settings) if settings else preset


def check(preset: Preset) -> list[Problem]:
    """All problems of both passes: the preset's own, then, if it is sound, its backend's."""
    problems = preset.problems()
    return problems if errors(problems) else problems + find(preset.backend).problems(preset)
